#!/bin/sh
# Fetches the weights and stops unless they are the pinned ones.
set -eu
wget https://model-hub.example.com/model.bin -O model.bin
echo "7d865e959b2466918c9863afca942d0fb89d7c9ac0c99bafc3749504ded97730  model.bin" | sha256sum --check
