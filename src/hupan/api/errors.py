"""Maps any exception to the error that the client receives."""

import logging

from hupan.errors import AppError, Busy, ServerError, StorageFailed
from hupan.model import StoreUnavailable

_log = logging.getLogger("hupan.api")


def to_app_error(error: Exception) -> AppError:
    """Return the error that a request ends with."""
    if isinstance(error, AppError):
        return error
    if isinstance(error, StoreUnavailable):
        return Busy() if error.is_busy else StorageFailed()
    return ServerError()


def log_and_map_error(error: Exception, request_id: int) -> AppError:
    """Return the error that a request ends with, and log a fault of the server."""
    failure = to_app_error(error)
    if isinstance(failure, StorageFailed):
        _log.error("request=%d the store is not available: %s", request_id, error)
    elif isinstance(failure, ServerError):
        _log.error("request=%d failed", request_id, exc_info=error)
    return failure
