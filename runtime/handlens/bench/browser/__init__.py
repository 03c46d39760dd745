"""A browser as a place to measure in: the page runs LiteRT.js or ONNX Runtime Web, and posts what it saw.

target.py opens it; server.py serves page, engines and models; visit.py holds the conversation with one page; jobs.py
says what it has to do; arrays.py reads its answers; facts.py what it says about itself; web/ is the page.
"""
