#!/usr/bin/env python3
print("a server that would answer tools/list")
