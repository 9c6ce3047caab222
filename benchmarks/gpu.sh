#!/usr/bin/env bash
# Measures text generation on a GPU within ten minutes, on a machine with torch and transformers and no network.
#
#   benchmarks/gpu.sh wheels [3.12]    where there is a registry: what that machine lacks, for its Python, into build/gpu
#   benchmarks/gpu.sh [OPTIONS]        there, with this folder and build/gpu beside it; options are those of gpu.py
#   benchmarks/gpu.sh --model tiny --many 4 --length 8    a try without a GPU
#
# PYTHON names another Python than python3. What is measured, and what it is held to, gpu.py says.
set -euo pipefail
cd "$(dirname "$0")/.."
python="${PYTHON:-python3}"
wheels=build/gpu/wheels

fetch() {
    rm -rf "$wheels"
    "$python" -m pip wheel --quiet --no-deps --wheel-dir "$wheels" ./core ./plugins/openai_compat ./plugins/universal
    local platforms=(manylinux2014 manylinux_2_17 manylinux_2_27 manylinux_2_28 manylinux_2_31 manylinux_2_34)
    local download=("$python" -m pip download --quiet --dest "$wheels" --constraint constraints.txt
        --only-binary=:all: --implementation cp --python-version "$1"
        $(printf -- "--platform %s_x86_64 " "${platforms[@]}"))
    "${download[@]}" --no-deps transformers # the tested version; what it needs is there already
    # Everything else that is needed and that torch and transformers do not bring; nothing of it needs torch.
    "${download[@]}" pydantic PyYAML httpx httpx-aiohttp aiohttp starlette uvicorn importlib-metadata click filelock \
        psutil pluggy python-multipart python-dotenv yarl socksio llguidance openai fastapi rich
    du -sh "$wheels"
}

if [ "${1:-}" = wheels ]; then
    fetch "${2:-3.12}"
    exit
fi
if [ -d "$wheels" ]; then
    site="$(mktemp -d)"
    trap 'rm -rf "$site"' EXIT
    "$python" -m pip install --quiet --no-index --no-deps --no-compile --target "$site" "$wheels"/*.whl
    export PYTHONPATH="$site${PYTHONPATH:+:$PYTHONPATH}"
fi
nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader 2>/dev/null || echo "no NVIDIA GPU here"
export HF_HUB_OFFLINE=1
"$python" benchmarks/gpu.py "$@"
