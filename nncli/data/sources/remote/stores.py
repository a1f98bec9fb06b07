"""Object stores: S3, Google Cloud Storage and Azure, reached by obstore with the credentials of the environment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from nncli.base.errors import DataError, Location, UsageError, extra_required
from nncli.base.text import quote
from nncli.data.sources.remote import remote_file
from nncli.data.sources.remote.remote_file import RangeError, TransientError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

OBJECT_URL = re.compile(r"(?P<scheme>[A-Za-z0-9]+)://(?P<bucket>[^/]*)/?(?P<key>.*)", re.DOTALL)
STATUS = re.compile(r"status code: (\d{3})")
ERROR_CODE = re.compile(r"<Code>(\w+)</Code>")
BUSY = (408, 429)
METADATA_SERVER = "169.254.169.254"
"""The address that a virtual machine of any cloud asks for credentials, where the environment has none."""
CREDENTIALS = {
    "s3": "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and AWS_REGION; AWS_SKIP_SIGNATURE=true for public data.",
    "gs": "Set GOOGLE_APPLICATION_CREDENTIALS to the file of a key; GOOGLE_SKIP_SIGNATURE=true for public data.",
    "az": "Set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY; AZURE_SKIP_SIGNATURE=true for public data.",
}
"""The hint for missing or refused credentials, by the scheme of the store."""


@dataclass(frozen=True)
class ObjectUrl:
    """The parts of the URL of an object: s3://bucket/key, or abfss://container@account.dfs.core.windows.net/key.

    The key is taken as it is spelled, without percent-encoding.
    """

    url: str
    scheme: str
    bucket: str
    account: str | None
    key: str

    @classmethod
    def parse(cls, url: str) -> ObjectUrl:
        """The parts of a URL.

        Raises:
            UsageError: there is no bucket, or the key is one that the stores' client would change.
        """
        match = OBJECT_URL.fullmatch(url)
        assert match is not None, "the scheme was checked"
        scheme, bucket, account = match["scheme"].lower(), match["bucket"], None
        if scheme.startswith("abfs"):
            scheme = "az"
            bucket, _, host = bucket.partition("@")
            account = host.partition(".")[0] or None
        if not bucket:
            raise UsageError(
                "the URL names no bucket",
                location=Location(source=url),
                hint=f"Such URLs are {match['scheme']}://BUCKET/path/to/file.parquet.",
            )
        if any(part in ("", ".", "..") for part in match["key"].rstrip("/").split("/")) and match["key"]:
            raise UsageError(
                "keys with empty parts, or with the parts . and .., cannot be read", location=Location(source=url)
            )
        return cls(url, scheme, bucket, account, match["key"])

    def with_key(self, key: str) -> str:
        """The URL of another object of the bucket."""
        return self.url[: len(self.url) - len(self.key)].rstrip("/") + "/" + key

    def open_store(self) -> ObjectStore:
        """The store of the bucket, with the credentials of the environment.

        Raises:
            UsageError: obstore is not installed.
            DataError: the environment is not enough to reach the store.
        """
        message = f"{self.scheme}:// needs obstore, which is not installed"
        with extra_required("cloud", message, Location(source=self.url)):
            from obstore.store import AzureStore, GCSStore, S3Store
        # Every request is tried once: the waiting is in remote_file.py. By default a request may take 30 s in all.
        options: Any = {
            "client_options": {
                "allow_http": True,
                "timeout": "7d",
                "read_timeout": timedelta(seconds=remote_file.SECONDS_OF_SILENCE),
                "connect_timeout": "5s",
            },
            "retry_config": {"max_retries": 0},
        }
        with translated_errors(self):
            if self.scheme == "s3":
                return S3Store(self.bucket, **options)
            if self.scheme == "gs":
                return GCSStore(self.bucket, **options)
            if self.account:
                options["account_name"] = self.account
            return AzureStore(self.bucket, **options)


@contextmanager
def translated_errors(url: ObjectUrl) -> Iterator[None]:
    """Translate the errors of obstore. Their texts are not shown, since they hold requests, which may be signed.

    Raises:
        TransientError: another try may help.
        DataError: none will.
        FileNotFoundError: there is no such object.
    """
    from obstore.exceptions import BaseError, PermissionDeniedError, PreconditionError, UnauthenticatedError

    try:
        yield
    except PreconditionError:
        raise
    except FileNotFoundError as error:
        if "NoSuchBucket" in str(error) or "ContainerNotFound" in str(error) or "bucket does not exist" in str(error):
            _raise_no_bucket(url)
        raise
    except (PermissionDeniedError, UnauthenticatedError):
        raise DataError("access is denied", location=Location(source=url.url), hint=CREDENTIALS[url.scheme]) from None
    except BaseError as error:
        _raise_generic(url, str(error))


def _raise_no_bucket(url: ObjectUrl) -> NoReturn:
    raise DataError(
        f"there is no bucket {quote(url.bucket)}",
        location=Location(source=url.url),
        hint="Check the name, and the variables that say where the store is, such as AWS_ENDPOINT_URL.",
    ) from None


def _raise_generic(url: ObjectUrl, text: str) -> NoReturn:
    """Raise the error of which obstore says nothing but this text."""
    place = Location(source=url.url)
    message = text.partition("Debug source:")[0]
    if METADATA_SERVER in message or "Account must be specified" in message:
        raise DataError(
            "the environment holds no credentials for this store", location=place, hint=CREDENTIALS[url.scheme]
        ) from None
    match = STATUS.search(message)
    status = int(match[1]) if match else None
    if status == 404:
        _raise_no_bucket(url)
    if status == 416:
        raise RangeError("the object has become shorter") from None
    if status is not None and status < 500 and status not in BUSY:
        raise DataError(
            f"the store refuses the request ({_reason(status, message)})",
            location=place,
            hint="Check the region of the bucket (AWS_REGION) and the credentials." if url.scheme == "s3" else None,
        ) from None
    if status is not None:
        raise TransientError(f"the store responds with {_reason(status, message)}") from None
    if "dns error" in text:
        if "not known" in text or "No such host" in text:
            raise DataError(
                "there is no such server",
                location=place,
                hint="Check the bucket, the region and the variables that say where the store is.",
            ) from None
        raise TransientError("the name of the server cannot be looked up", is_refused=True) from None
    if "Connect" in text:
        raise TransientError("the store refuses the connection", is_refused=True) from None
    if "HTTP error" in text or "reqwest" in text or "hyper" in text:
        raise TransientError("the connection was lost") from None
    raise DataError(f"the store cannot be reached: {message.splitlines()[0]}", location=place) from None


def _reason(status: int, message: str) -> str:
    """The status, and the code of the error in an XML answer, such as PermanentRedirect."""
    code = ERROR_CODE.search(message)
    return f"{status} {code[1]}" if code else str(status)
