"""What makes the shipped model: counting, simulated spinning, fitting. Nothing here runs for users.

`build.build` is the whole procedure, in order.
"""
