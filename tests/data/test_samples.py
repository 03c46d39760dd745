from pathlib import Path

import numpy as np
import pytest

from handlens.image import load_image
from handlens_data import samples


def test_people_come_in_three_views_each_about_twice_as_high_as_wide() -> None:
    views = samples.people()
    assert sorted(views) == sorted(f"{person}-{view}" for person in samples.PEOPLE for view in samples.VIEWS)
    for image in views.values():
        assert image.dtype == np.uint8 and image.shape[2] == 3
        assert 1.7 < image.shape[0] / image.shape[1] < 2.4


def test_views_of_a_person_differ_in_light_and_place() -> None:
    views = samples.people()
    for person in samples.PEOPLE:
        a, b, c = (views[f"{person}-{view}"] for view in samples.VIEWS)
        assert b.mean() < 0.85 * a.mean() < c.mean() * 1.2
        assert len({image.shape for image in (a, b, c)}) == 3


def test_the_command_writes_files_that_load_as_the_same_pixels(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert samples.main([str(tmp_path / "people")]) == 0
    assert "astronaut-c.png" in capsys.readouterr().out
    for name, image in samples.people().items():
        np.testing.assert_array_equal(load_image(tmp_path / "people" / f"{name}.png"), image)


def test_the_cat_is_written_where_it_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert samples.main([str(tmp_path), "pets"]) == 0
    assert [file.name for file in tmp_path.iterdir()] == ["cat.png"]
    assert samples.main([str(tmp_path), "fish"]) == 2
    assert "valid: people, pets" in capsys.readouterr().err


def test_a_file_in_the_way_is_an_error_with_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "people").write_text("")
    assert samples.main([str(tmp_path / "people")]) == 2
    assert "is a file" in capsys.readouterr().err


def test_a_wrong_call_shows_the_usage(capsys: pytest.CaptureFixture) -> None:
    assert samples.main([]) == 2
    assert "usage:" in capsys.readouterr().err
