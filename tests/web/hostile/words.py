"""Words that break out of where they stand, wherever they are not escaped for it."""

from __future__ import annotations

BREAK = "'\"><xss onxss=1>&lt;xss&gt;{{7*1910019}}</title></textarea></script><script>xss()</script>"
"""Out of an attribute of either quote, out of each element whose content is text, into an element that nobody has."""
SHORT = "'\"><xss onxss=1>{{7*1910019}}"
"""The same where there is little room."""
PRODUCT = "13370133"
"""What 7 × 1910019 is: it stands nowhere unless a template was made of a text."""
TURN = "\u202e"
"""RIGHT-TO-LEFT OVERRIDE."""

SCRIPTS = (
    "javascript:xss()",
    "JaVa\tScRiPt:xss()",
    " \x01javascript:xss()",
    "data:text/html,<script>xss()</script>",
    "vbscript:xss()",
    "view-source:https://evil.example/",
)
"""Addresses that run, or lead to what does."""

MARKUP = f"""<p onxss="1" onclick="xss()" style="position:fixed">Words {BREAK.replace("<xss", "&lt;xss")}</p>
<xss>gone</xss><script>xss()</script><svg><script>xss()</script><a xlink:href="javascript:xss()">b</a></svg>
<svg onload="xss()"><animate onbegin="xss()" attributeName="x"/></svg><math><mtext><script>xss()</script></mtext></math>
<img src="x:y" onerror="xss()"><img src="javascript:xss()"><img src="https://ok.example/a.png" onload="xss()">
<a href="javascript:xss()">a</a><a href="JaVa&#x09;script:xss()">a</a><a href="data:text/html,&lt;xss&gt;">a</a>
<iframe srcdoc="<xss>"></iframe><object data="data:text/html,xss"></object><embed src="data:text/html,xss">
<form action="https://evil.example"><input name="csrf"><button formaction="javascript:xss()">b</button></form>
<base href="https://evil.example/"><meta http-equiv="refresh" content="0;url=https://evil.example/">
<link rel="stylesheet" href="https://evil.example/"><style>@import "https://evil.example/"</style>
<noscript><p title="</noscript><xss>"></noscript><template><xss></template><textarea></textarea><xss>
<math><mi><table><mglyph><style><img title="</style><img src=x onerror=xss()>"></style></mglyph></table></mi></math>
<details open ontoggle="xss()">d</details><video><source onerror="xss()"></video><!--><xss>--><![CDATA[<xss>]]>"""
"""An article's own HTML, with everything in it that a page may not have."""


PLANTED: set[str] = set()
"""The places that hostile words were put into."""


def hostile(field: str) -> str:
    """The words, with the name of the place that they are put into before them."""
    PLANTED.add(field)
    return f"{field} {BREAK}"
