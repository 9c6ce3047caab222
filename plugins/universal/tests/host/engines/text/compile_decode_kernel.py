"""Compiles the kernel for GPUs of two generations, the older in all number formats, and says what it needs."""

import json
from itertools import product

import triton
from llamafarm_universal.host.engines.text.decode_kernel import read_part
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

SIZE = 256
KNOWN = {
    "softcap": 30.0,
    "window": 512,
    "size": SIZE,
    "value_size": SIZE,
    "width": SIZE,
    "key_heads": 8,
    "group": 2,
    "rows": 16,
    "block_tokens": 16,
}

for capability, dtype, parts in [*product((80,), ("bf16", "fp16", "fp32"), (1, 8)), *product((90,), ("bf16",), (1, 8))]:
    known = {**KNOWN, "parts": parts, "tile": 16 if dtype == "fp32" else 32}
    types = dict.fromkeys(("query", "new_keys", "new_values", "keys", "values", "sinks"), f"*{dtype}")
    types |= {"blocks": "*i64", "positions": "*i64", "sums": "*fp32" if parts > 1 else f"*{dtype}", "scale": "fp32"}
    types |= dict.fromkeys(known, "constexpr")
    names = read_part.arg_names
    source = ASTSource(
        fn=read_part,
        signature={name: types.get(name, "i32") for name in names},
        constexprs={(names.index(name),): value for name, value in known.items()},
    )
    compiled = triton.compile(source, target=GPUTarget("cuda", capability, 32), options={"num_stages": 2})
    assert compiled.asm["cubin"]
    print(
        json.dumps({"capability": capability, "dtype": dtype, "parts": parts, "shared_bytes": compiled.metadata.shared})
    )
