"""How the API says no: one clear error, with the field at fault where there is one."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from syndicate.errors import BadInput, NotFound, Refused, StorageError, SyndicateError
from syndicate.sources.declared import BadFields

_STATUS: tuple[tuple[type[SyndicateError], int], ...] = (
    (NotFound, 404),
    (Refused, 409),
    (BadInput, 422),
    (StorageError, 503),
)


class ApiError(Exception):
    """Answers with that status. `field` is the one at fault, `cure` the next step."""

    def __init__(
        self, status: int, message: str, *, field: str = "", cure: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.field = field
        self.cure = cure
        self.headers = headers

    def response(self) -> JSONResponse:
        """As it goes out."""
        error = {"message": self.message, "field": self.field or None, "cure": self.cure or None}
        return JSONResponse({"error": error}, self.status, dict(self.headers or {}))


class ApiRoute(APIRoute):
    """A route whose every error is told in the same form. `request.state.headers`, where a dependency set them, stand
    in every answer."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            answer = await answered(request)
            answer.headers.update(getattr(request.state, "headers", {}))
            return answer

        async def answered(request: Request) -> Response:
            try:
                return await handler(request)
            except ApiError as error:
                return error.response()
            except SyndicateError as error:
                return _told(error).response()
            except RequestValidationError as error:
                first = error.errors()[0]
                return ApiError(422, f"{first['msg']}.", field=str(first["loc"][-1])).response()

        return handle


def _told(error: SyndicateError) -> ApiError:
    status = next((number for kind, number in _STATUS if isinstance(error, kind)), 500)
    field = error.fields[0] if isinstance(error, BadFields) else ""
    headers = {"Retry-After": "5"} if status == 503 else None
    return ApiError(status, error.message, field=field, cure=error.cure, headers=headers)
