"""Signs that Unicode's own tables say too little about, for whatever compares what people see."""

FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\ufe0e\ufe0f\uffa0")
"""Signs that count as letters or marks and show nothing."""
SPELT = {
    "œ": "oe",
    "æ": "ae",
    "ø": "o",
    "ł": "l",
    "đ": "d",
    "ð": "d",
    "þ": "th",
    "ħ": "h",
    "ı": "i",
    "ŧ": "t",
    "ŋ": "n",
}
"""Letters that Unicode does not take apart, as those without them on their keyboard write them."""
VIRAMA = 9
"""The class of marks that join what comes before to what follows, and are no accents."""
