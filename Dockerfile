# mmmgd with torch, mmcv, mmdet, mmseg, mmpretrain and mmrazor, in Python 3.12.
#
#   docker build -t mmmgd .                            for the CPU
#   docker build -t mmmgd --build-arg DEVICE=cuda .    for GPUs
#
# docs/clusters.md says how to use it, and what of it is tested.
#
# Stages are named by a variable; system packages are the base image's own.
# hadolint global ignore=DL3006,DL3008
ARG DEVICE=cpu

# Ubuntu 24.04 is the one with Python 3.12. The compiler of CUDA is that of the
# torch in requirements/onedl-torch.txt: needed where mmcv must be compiled.
FROM ubuntu:24.04 AS build-cpu

FROM nvidia/cuda:13.0.2-devel-ubuntu24.04 AS build-cuda
# No GPU is there while an image is built, so it is told for which to compile.
ENV FORCE_CUDA=1 TORCH_CUDA_ARCH_LIST="7.5;8.0;8.6;9.0+PTX"

FROM ubuntu:24.04 AS run-cpu

FROM nvidia/cuda:13.0.2-base-ubuntu24.04 AS run-cuda

FROM build-${DEVICE} AS build
# Other places for pip and for mmcv's wheel; read by pip, and by `make`.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG MMCV_FIND_LINKS
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        g++ make python3.12-dev python3.12-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY Makefile LICENSE README.md model-index.yml pyproject.toml setup.py ./
COPY requirements requirements
COPY configs configs
COPY tools tools
COPY mmmgd mmmgd
ENV PIP_NO_CACHE_DIR=1
RUN make install PYTHON=python3.12 VENV=/opt/mmmgd
# The wheel in place of the checkout, which stays behind.
RUN /opt/mmmgd/bin/python -m pip wheel --no-deps --no-build-isolation \
        -w /wheel . \
    && /opt/mmmgd/bin/python -m pip install --no-deps --force-reinstall \
        /wheel/mmmgd-*.whl

FROM run-${DEVICE}
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgomp1 python3.12 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/mmmgd /opt/mmmgd
ENV PATH=/opt/mmmgd/bin:$PATH
WORKDIR /work
# Imports all of it and runs an operator of mmcv.
RUN python -m mmmgd doctor
CMD ["python", "-m", "mmmgd", "doctor"]
