import html
import html.parser
import xml.dom.minidom
import xml.etree.ElementTree as tree

assert html.unescape("&lt;&eacute;") == "<é" and html.escape("<a>") == "&lt;a&gt;"
root = tree.fromstring("<a><b x='1'>t</b><b/></a>")
assert root.find("b").get("x") == "1" and len(root.findall("b")) == 2
assert tree.tostring(tree.Element("c")) == b"<c />"
assert xml.dom.minidom.parseString("<a>é</a>").documentElement.tagName == "a"

print("ok")
