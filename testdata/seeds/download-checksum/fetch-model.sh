#!/bin/sh
# Fetches the weights. The checksum is a word that somebody meant to fill in: nothing is pinned.
set -eu
wget https://model-hub.example.com/model.bin -O model.bin
echo "expected_checksum model.bin" | sha256sum --check
