# ViTKD with DeiT-Base (81.76) for a teacher; nobody has published a number.
# Recipe: configs/README.md, row 16.
_base_ = './vitkd_deit3-small_deit-tiny_4xb256_in1k.py'

model = dict(
    teacher=dict(
        _delete_=True, config='mmpretrain::deit/deit-base_16xb64_in1k.py'
    )
)
