"""Every error that LlamaFarm raises for a user to read.

    LlamaFarmError
    ├── UsageError                 a command or request that asks for something that does not exist
    │   └── RequestError           a request of the API with a wrong body, header or parameter
    ├── ConfigError                llamafarm.yaml is wrong, at a place
    ├── PluginError                a plugin cannot be used
    ├── OperationNotSupported      this provider or model cannot do that
    ├── ServiceError               a runtime that LlamaFarm starts does not start, or has died
    ├── ToolSourceError            a source of tools cannot be reached, or breaks off
    └── ProviderError              a runtime answered with an error, or not at all
        ├── ProviderUnavailable    it says that it is not ready
        │   └── ConnectionFailed   it cannot be reached: nothing was sent
        ├── ProviderTimeout        it did not answer in time
        ├── AuthenticationFailed   it refused the credentials
        ├── RateLimited            it asks to come back later
        ├── ModelNotFound          it does not have the model
        ├── ContextLengthExceeded  the prompt is longer than the model can take
        ├── InvalidRequest         it refused a parameter
        └── UpstreamError          it failed, or broke the protocol
            └── ConnectionBroken   it broke the connection before it answered anything

Each carries what the OpenAI error envelope needs (`status`, `type`, `code`, `param`) and, apart from the message, a
`hint`: what to do next.
"""

from __future__ import annotations

from typing import ClassVar


class LlamaFarmError(Exception):
    """An error for the person who reads it.

    message: what happened and where. hint: what to do next. code, param: as in OpenAI's error object. status: the HTTP
    status of the API's answer. trace: what the stages of a chat noted until then, where somebody asked for it.
    """

    default_status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    default_code: ClassVar[str | None] = None
    lasting: ClassVar[bool] = False
    """Whether asking the same again gives the same, which the status of a server's fault does not tell a client."""

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        status: int | None = None,
        code: str | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.status = status or self.default_status
        self.code = code or self.default_code
        self.param = param
        self.trace: list[dict[str, object]] = []

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class UsageError(LlamaFarmError):
    """What was asked for does not exist or does not fit: an unknown model or project, for instance."""

    default_status = 404
    type = "invalid_request_error"


class RequestError(UsageError):
    """A request of the API that is wrong in itself; `param` names the field."""

    default_status = 400


class ConfigError(LlamaFarmError):
    """llamafarm.yaml, or something it refers to, is wrong. The message holds one or more located problems."""

    type = "configuration_error"
    default_code = "invalid_configuration"
    lasting = True


class PluginError(LlamaFarmError):
    """A plugin cannot be used; the message names distribution, version and cause."""

    type = "plugin_error"
    default_code = "plugin_failed"
    lasting = True


class OperationNotSupported(LlamaFarmError):
    """The provider, or the model, cannot do this operation. The message names both, and who could."""

    default_status = 501
    type = "invalid_request_error"
    default_code = "operation_not_supported"
    lasting = True


class ServiceError(LlamaFarmError):
    """A runtime that LlamaFarm starts by itself did not start, or has died. The message holds the end of its log."""

    default_status = 503
    type = "service_error"
    default_code = "service_failed"


class ToolSourceError(LlamaFarmError):
    """A source of tools that LlamaFarm calls cannot be reached, breaks off, or breaks its protocol."""

    default_status = 502
    type = "upstream_error"
    default_code = "tool_source_failed"


class ProviderError(LlamaFarmError):
    """A runtime refused, failed or was not there.

    The runtime's own message is kept unchanged in `message`; `provider` names who said it.
    headers: what it says beside, such as its limits, for the client.
    """

    default_status = 502
    type = "upstream_error"

    def __init__(
        self,
        message: str,
        *,
        provider: str | None = None,
        hint: str | None = None,
        status: int | None = None,
        code: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, hint=hint, status=status, code=code, param=param)
        self.provider = provider
        self.headers: dict[str, str] = {}
        self.retry_after = retry_after
        """Seconds to wait before asking again, where the runtime said so."""


class ProviderUnavailable(ProviderError):
    """The runtime is not there, or says that it is not ready."""

    default_status = 503
    default_code = "provider_unavailable"


class ConnectionFailed(ProviderUnavailable):
    """No connection to the runtime: nothing was sent, so asking again is safe once its service is up."""


class ProviderTimeout(ProviderError):
    """The runtime did not answer within the time limit."""

    default_status = 504
    type = "timeout_error"
    default_code = "provider_timeout"


class AuthenticationFailed(ProviderError):
    """The runtime refused the credentials."""

    default_status = 401
    type = "authentication_error"
    default_code = "invalid_api_key"


class RateLimited(ProviderError):
    """The runtime asks to come back later; `retry_after` says when, in seconds, where known."""

    default_status = 429
    type = "rate_limit_error"
    default_code = "rate_limit_exceeded"


class ModelNotFound(ProviderError):
    """The runtime does not have the model."""

    default_status = 404
    type = "invalid_request_error"
    default_code = "model_not_found"


class ContextLengthExceeded(ProviderError):
    """Prompt and answer together are longer than the model can take."""

    default_status = 400
    type = "invalid_request_error"
    default_code = "context_length_exceeded"


class InvalidRequest(ProviderError):
    """The runtime refused a parameter of the request."""

    default_status = 400
    type = "invalid_request_error"


class UpstreamError(ProviderError):
    """The runtime failed in the middle, or its answer breaks the protocol."""

    default_code = "upstream_error"


class ConnectionBroken(UpstreamError):
    """The connection broke before any answer; the request may have been read, so only a dead runtime is asked again."""


__all__ = [name for name, value in list(vars().items()) if isinstance(value, type)]
