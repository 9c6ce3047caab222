"""What is read from metadata, before anything is imported."""

from __future__ import annotations

import subprocess
import sys

from llamafarm.plugins.discovery import candidates, canonical


def names() -> list[str]:
    return [one.name for one in candidates()]


def test_an_installed_plugin_is_found_without_being_imported(install):
    install("acme-cow", "raise RuntimeError('imported')")
    found = next(one for one in candidates() if one.name == "cow")
    assert (found.distribution, found.version, found.target) == ("acme-cow", "1.0", "acme_cow")
    assert "acme_cow" not in sys.modules


def test_name_and_version_are_those_of_the_headers_whatever_the_description_says(install):
    metadata = install("acme-cow") / "acme_cow-1.0.dist-info" / "METADATA"
    metadata.write_text("Metadata-Version: 2.1\nname:  Acme.Cow \nVersion: 2.0\n\nName: horse\nVersion: 9\n")
    found = next(one for one in candidates() if one.name == "cow")
    assert found.origin == "Acme.Cow 2.0"


def test_the_cores_own_plugin_comes_first(install):
    install("acme-aaa")
    assert candidates()[0].is_core


def test_a_distribution_with_a_malformed_file_hides_no_other(install):
    install("acme-cow")
    broken = install("acme-broken")
    (broken / "acme_broken-1.0.dist-info" / "entry_points.txt").write_text("[llamafarm.plugins]\nno equals sign here\n")
    assert "cow" in names()


def test_a_distribution_without_readable_metadata_hides_no_other(install):
    install("acme-cow")
    broken = install("acme-broken")
    (broken / "acme_broken-1.0.dist-info" / "METADATA").write_bytes(b"\xff\xfe\x00")
    assert "cow" in names()


def test_a_plugin_is_called_by_its_name_or_its_distributions(install):
    install("acme-cow", plugins={"moo": "acme_cow"})
    found = next(one for one in candidates() if one.name == "moo")
    assert found.called(["moo"])
    assert found.called(["ACME_cow"])
    assert not found.called(["cow"])


def test_requirements_that_the_core_meets_are_no_obstacle(install):
    install("acme-cow", requires=("llamafarm>=0.1,<1", "httpx>=0.1", 'llamafarm>=99; extra == "new"'))
    assert next(one for one in candidates() if one.name == "cow").incompatibility is None


def test_a_requirement_that_the_core_does_not_meet_is_named(install):
    install("acme-cow", requires=("LlamaFarm>=99",))
    why = next(one for one in candidates() if one.name == "cow").incompatibility
    assert why is not None
    assert "LlamaFarm>=99" in why
    assert "is installed" in why


def test_distribution_names_are_compared_as_package_indexes_do():
    assert canonical("Acme_Cow.Shed") == canonical("acme-cow-shed")


def test_discovery_imports_neither_pydantic_nor_pluggy():
    code = (
        "import sys, llamafarm.plugins.discovery as d; d.candidates(); print({'pydantic', 'pluggy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "set()"
