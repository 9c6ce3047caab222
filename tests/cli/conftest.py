"""A project of two models, whose server says again what it is told."""

from __future__ import annotations

import pytest


@pytest.fixture
def project(farm, echo):
    farm.write(
        f"""
        runtime:
          models:
            - name: echo
              provider: openai
              model: echo-1
              base_url: {echo.url}
              model_api_parameters: {{temperature: 0.9, top_p: 0.5}}
            - {{name: other, provider: openai, model: echo-2, base_url: {echo.url}}}
        """
    )
    return farm
