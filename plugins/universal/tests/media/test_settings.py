"""What the operator sets is read from the environment, and what makes no sense is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from llamafarm.errors import ConfigError
from llamafarm_universal.media.settings import MediaSettings, read_media_settings


def test_nothing_set_is_the_defaults_below_the_data_directory():
    settings = read_media_settings({"LF_DATA_DIR": "/data"})
    assert settings == MediaSettings(spool=Path("/data/spool").absolute())
    assert (settings.sound_bytes, settings.picture_bytes) == (25 * 2**20, 20 * 2**20)
    assert not settings.allow_urls


def test_limits_are_raised():
    settings = read_media_settings({
        "UNIVERSAL_RUNTIME_MAX_SOUND_MB": "100",
        "UNIVERSAL_RUNTIME_MAX_PIXELS": "1000",
        "UNIVERSAL_RUNTIME_SPOOL": "/large/disk",
        "UNIVERSAL_RUNTIME_ALLOW_URLS": "1",
    })  # fmt: skip
    assert (settings.sound_bytes, settings.pixels) == (100 * 2**20, 1000)
    assert settings.spool == Path("/large/disk").absolute()
    assert settings.allow_urls


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "many", "9" * 20, "١"])
def test_a_limit_that_is_no_number_is_named(value):
    with pytest.raises(ConfigError, match="UNIVERSAL_RUNTIME_MAX_PIXELS must be a whole number above 0"):
        read_media_settings({"UNIVERSAL_RUNTIME_MAX_PIXELS": value})


def test_a_flag_that_is_none_is_named():
    with pytest.raises(ConfigError, match="UNIVERSAL_RUNTIME_ALLOW_URLS must be 1 or 0, not 'perhaps'"):
        read_media_settings({"UNIVERSAL_RUNTIME_ALLOW_URLS": "perhaps"})
