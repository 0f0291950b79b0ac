import check_includes
import pytest

HEADERS = {
    "base/place.hpp": "struct Place {\n  int at;\n};\ninline constexpr int kMost = 3;\n",
    "base/other.hpp": '#include "base/place.hpp"\nusing Way = int;\n',
}


def problems(text, path="session/session.cpp"):
    return list(check_includes.check({**HEADERS, path: text}))


@pytest.mark.parametrize("text", [
    '#include "base/place.hpp"\nPlace place;\n',
    '#include "base/other.hpp"\nPlace place{kMost};\n',
    "class Place;\nPlace* place;\n",
    "// a Place\nconst char* text = \"Place\";\nconst char* raw = R\"(kMost)\";\n",
    "template <class Place>\nPlace same(Place place);\n",
    "int placed;\n",
])
def test_accepts_what_is_reached_or_its_own(text):
    assert problems(text) == []


@pytest.mark.parametrize("text, name", [
    ("Place place;\n", "Place"), ("int most = kMost;\n", "kMost"), ("Way way;\n", "Way"),
    ('#include "base/place.hpp"\nWay way;\n', "Way")])
def test_reports_what_a_neighbour_happens_to_include(text, name):
    assert len(problems(text)) == 1 and f"uses {name} " in problems(text)[0]


def test_a_header_beside_it_may_be_named_without_its_folder():
    assert problems('#include "place.hpp"\nPlace place;\n', "base/place.cpp") == []


def test_a_name_of_two_headers_tells_nothing():
    assert problems("struct Place {\n};\n", "session/place.hpp") == []
    assert list(check_includes.check({**HEADERS, "session/place.hpp": "struct Place {\n};\n",
                                      "session/user.cpp": "Place place;\n"})) == []


def test_reports_what_a_neighbour_keeps_for_itself():
    files = {"config/keys.cpp": "namespace {\nconstexpr int kMany = 9;\n}\n", "config/more.cpp": "int many = kMany;\n"}
    assert list(check_includes.check(files)) == ["config/more.cpp: uses kMany and does not include config/keys.cpp"]


def test_members_belong_to_their_class():
    header = {"session/log.hpp": "class Log {\n  struct Entry {\n  };\n};\n"}
    assert list(check_includes.check({**header, "session/log.cpp": '#include "session/log.hpp"\nLog::Entry e;\n'})) == []


FUNCTIONS = {"base/text.hpp": "std::string shout(std::string text);\nstd::optional<int> number_of(int place);\n",
             "base/text.cpp": '#include "base/text.hpp"\nstd::string shout(std::string text) { return text; }\n'}


@pytest.mark.parametrize("text, name", [
    ("auto text = shout(x);\n", "shout"), ("return number_of(3);\n", "number_of"), ("base::shout(x);\n", "shout")])
def test_reports_functions_of_a_header_that_is_not_included(text, name):
    assert list(check_includes.check({**FUNCTIONS, "session/user.cpp": text})) == [
        f"session/user.cpp: uses {name} and does not include base/text.hpp"]


@pytest.mark.parametrize("text", [
    '#include "base/text.hpp"\nauto text = shout(x);\n',
    "person.shout(x);\nPerson::shout(x);\nstd::shout(x);\n",
    "std::string shout(int other) { return {}; }\nauto text = shout(1);\n",
    "auto shout = [](int other) { return other; };\nauto text = shout(1);\n",
])
def test_accepts_members_and_functions_of_its_own(text):
    assert list(check_includes.check({**FUNCTIONS, "session/user.cpp": text})) == []


def test_a_member_of_the_name_makes_it_tell_nothing():
    member = {"session/person.hpp": "struct Person {\n  std::string shout(int loud);\n};\n"}
    assert list(check_includes.check({**FUNCTIONS, **member, "session/user.cpp": "auto text = shout(1);\n"})) == []
