"""The HTTP edge: translates and authenticates, knows no rule of any slice.

`http` surrounds every row of the route table; `request` reads what came, `origin` tells who may ask from where,
`answer` writes what goes. `pages` are the two pages a person opens in a browser.
"""
