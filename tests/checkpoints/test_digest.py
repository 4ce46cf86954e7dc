from mmmgd.checkpoints.digest import sha256


def test_it_is_that_of_the_standard(tmp_path):
    """FIPS 180-4's example of one million letters: more than a block."""
    file = tmp_path / 'a'
    file.write_bytes(b'a' * 10**6)
    assert sha256(file) == (
        'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0'
    )
