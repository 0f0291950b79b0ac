import pytest

import check_text


def problems(text, name="src/base/a.cpp"):
    return list(check_text.check_file(name, text.encode("utf-8")))


@pytest.mark.parametrize("text", [
    "int a;\n",
    "",
    "// TO" "DO(#12): replay\n",
    "// the framework's work/main loop\n",
])
def test_accepts_ordinary_files(text):
    assert problems(text) == []


@pytest.mark.parametrize("text", [
    "// see /wo" "rk/main/src\n",
    "// see /fa" "rm/.x\n",
    "const char* python = \".py" "env/shims/python\";\n",
    "// TO" "DO: later\n",
    "// FIX" "ME\n",
    "int a;",
    "int a;\n\n",
    "int a; \n",
    "\tint a;\n",
])
def test_refuses_what_does_not_belong(text):
    assert len(problems(text)) == 1


def test_bounds_the_length_of_source_files():
    at_limit = "int a;\n" * check_text.MAX_LINES
    assert problems(at_limit) == []
    assert len(problems(at_limit + "int b;\n")) == 1
    assert problems(at_limit + "text\n", "docs/long.md") == []


def test_wants_utf8():
    assert len(list(check_text.check_file("docs/a.md", b"\xff\n"))) == 1


def test_leaves_foreign_material_alone():
    assert list(check_text.check_file("tests/fuzz/corpus/frame/x", b"\xff\t")) == []


def test_a_git_that_fails_is_told_in_its_own_words(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(SystemExit, match="not a git repository"):
        check_text.project_files(tmp_path)
