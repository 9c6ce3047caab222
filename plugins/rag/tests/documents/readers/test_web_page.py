"""HTML files."""

from __future__ import annotations

from shape import outline, texts

PAGE = """<!DOCTYPE html>
<html lang="en"><head><title>The  page</title><meta name="author" content="Ann"><style>p {color: red}</style></head>
<body><nav><a href="/">Home</a></nav><script>alert(1)</script>
<h1>Farm</h1><p>Some <b>bold</b>
text.<br>Next line.</p>
<!-- a comment -->
<h2>Animals</h2>
<div>Loose text<p>A paragraph</p><ul><li>Llama<ul><li>Brown</li></ul></li><li><p>Goat</p></li></ul></div>
<pre>  keep
    this</pre>
<table><caption>Prices</caption><thead><tr><th>Name</th><th>Price</th></tr></thead>
<tr><td>Llama</td><td>5&nbsp;€</td></tr><tr><td>Goat</td><td></td></tr></table>
<p hidden>Not shown</p><img src="x" alt="A picture">
</body></html>"""


def test_what_is_seen_stands_under_its_headings(read_file):
    assert outline(read_file("a.html", PAGE)) == [
        ("Farm", "Farm"),
        ("Farm", "Some bold text.\nNext line."),
        ("Farm > Animals", "Animals"),
        ("Farm > Animals", "Loose text"),
        ("Farm > Animals", "A paragraph"),
        ("Farm > Animals", "- Llama"),
        ("Farm > Animals", "- Brown"),
        ("Farm > Animals", "- Goat"),
        ("Farm > Animals", "  keep\n    this"),
        ("Farm > Animals", "Prices"),
        ("Farm > Animals", "Name: Llama; Price: 5 €"),
        ("Farm > Animals", "Name: Goat"),
        ("Farm > Animals", "A picture"),
    ]


def test_title_and_metadata(read_file):
    document = read_file("a.html", PAGE)
    assert document.title == "The page"
    assert document.metadata == {"author": "Ann", "language": "en"}
    assert read_file("a.html", "<h2>Two</h2><h1>One</h1>").title == "One"


def test_lists_stand_close_together(read_file):
    page = "<p>Two</p><ul><li>one<li>two</ul><dl><dt>Power<dd>99 kW<dd>or less<dt>Price<dd>5</dl>"
    document = read_file("a.html", page)
    assert document.text == "Two\n- one\n- two\n\nPower\n99 kW\nor less\n\nPrice\n5"


def test_a_table_for_looks_is_read_through(read_file):
    page = "<table><tr><td><h1>A</h1><table><tr><td>1</td><td>2</td></tr></table></td></tr></table>"
    assert outline(read_file("a.html", page)) == [("A", "A"), ("A", "1 | 2")]


def test_the_encoding_that_a_page_declares_is_believed(read_file):
    page = '<meta charset="iso-8859-7"><p>Γεια</p>'.encode("iso-8859-7")
    assert texts(read_file("a.html", page)) == ["Γεια"]
    for wrong in ("nonsense", "utf-16", "hex", "iso-8859-1", "unicode_escape"):
        assert texts(read_file("a.html", f'<meta charset="{wrong}"><p>ä \\x41</p>')) == ["ä \\x41"]
    assert texts(read_file("a.html", b'<meta charset="latin1"><p>5 \x80</p>')) == ["5 €"]


def test_xhtml_and_pieces_of_pages_are_read(read_file):
    xhtml = '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body><p>Yes</p></body></html>'
    assert texts(read_file("a.xhtml", xhtml)) == ["Yes"]
    assert texts(read_file("a.html", "just text")) == ["just text"]


def test_entities_are_characters_and_none_can_be_declared(read_file):
    bomb = '<!DOCTYPE html [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><p>&lt;b&gt; &b;</p>'
    assert "aaaa" not in texts(read_file("a.html", bomb))[-1]
    assert "<b>" in texts(read_file("a.html", bomb))[-1]


def test_a_page_may_be_nested_deeply(read_file):
    assert texts(read_file("a.html", "<div>" * 5000 + "deep")) == ["deep"]
