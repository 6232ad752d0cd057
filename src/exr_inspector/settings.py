"""Settings, resolved once: from the environment (`EXR_INSPECTOR_…`), then defaults."""

from __future__ import annotations

from functools import cache

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from .errors import SettingsError
from .exr import Limits


class Settings(BaseSettings):
    """What can be set; each field is the environment variable EXR_INSPECTOR_ and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="EXR_INSPECTOR_", extra="ignore")

    catalog: str = Field("duckdb:exr-inspector.duckdb", description="Catalog that commands use without --catalog.")
    workers: int = Field(0, ge=0, description="Processes that inspect files; 0 is one for each core.")
    batch_files: int = Field(2000, ge=1, description="Most files that are persisted in one transaction.")
    cell_limit: int = Field(65536, ge=1024, description="Largest attribute, in bytes, that a catalog cell holds whole.")
    max_header_bytes: int = Field(256 << 20, ge=1024, description="Largest header that is read.")
    max_parts: int = Field(4096, ge=1, description="Most parts of one file.")
    max_attributes: int = Field(65536, ge=1, description="Most attributes of one file.")
    max_chunks: int = Field(1 << 22, ge=1, description="Most chunks of one file that are checked.")

    @property
    def limits(self) -> Limits:
        """The limits of the header parser."""
        return Limits(
            header_bytes=self.max_header_bytes,
            parts=self.max_parts,
            attributes=self.max_attributes,
            chunks=self.max_chunks,
        )


@cache
def settings() -> Settings:
    """The settings of this process. Raises SettingsError, naming the variable that cannot be used."""
    try:
        return Settings()
    except ValidationError as problem:
        first = problem.errors()[0]
        name = "EXR_INSPECTOR_" + "_".join(map(str, first["loc"])).upper()
        raise SettingsError(f"{name}: {first['msg']}") from None
