"""The part of a house that reads the backend's document, chooses what is published, and writes the results."""

from pathlib import Path
from typing import TYPE_CHECKING

from exposer.config import own
from exposer.config.model import Config
from exposer.config.secrets import resolve
from exposer.config.show import digest
from exposer.files import Places
from exposer.notify.teller import Teller
from exposer.openapi.model import Choice, Document, DocumentError, Operation, Publication
from exposer.state.facts import Documented

if TYPE_CHECKING:  # each step loads what it needs: the backend starts the sooner
    from exposer.openapi.read import Reader


class Library(Teller):
    """One config's document and what is made of it."""

    def __init__(self, config: Config, places: Places, without_document: bool) -> None:
        super().__init__(config, places)
        self._source = "" if without_document else config.backend.openapi
        self._reader: tuple[str, Reader] | None = None
        self._overlay = own.overlay(config.schema.overlay)
        self.overlay_notes: tuple[str, ...] = ()
        self._schema_digest = ""

    def schema_digest(self) -> str:
        if not self._schema_digest:  # it is asked in every cycle
            of = (self._source, self.config.schema, self.config.backend.auth, self._overlay)
            self._schema_digest = digest(of)
        return self._schema_digest

    def document_is_here(self) -> bool:
        return self._source.startswith("file:") if self._source else bool(self.config.schema.include)

    def read_document(self, upstream: str) -> Documented:
        """Reads and chooses; without a document the calls named in schema.include are all there is."""
        from exposer.openapi.select import from_include

        if not self._source:
            named = self._asked(None, from_include(self.config.schema.include))
            return Documented(None, named, len(named))
        return self.choose(self.document(upstream))

    def document(self, upstream: str) -> Document:
        """The backend's document as it is now, with the user's own overlay and the hints in it applied."""
        from exposer.openapi.overlay import hinted, overlaid
        from exposer.openapi.read import Reader
        from exposer.openapi.text import parse

        if self._reader is None or self._reader[0] != upstream:
            self._reader = (upstream, Reader(self._source, upstream))
        document = self._reader[1].read(headers=self.upstream_headers())
        if place := self.config.schema.overlay:
            if self._overlay is None:
                raise DocumentError(f"{place}: the overlay cannot be read", "mend the path in schema.overlay")
            name = Path(place).name
            document, self.overlay_notes = overlaid(document, parse(self._overlay, name), name)
        return hinted(document)

    def choices(self, document: Document) -> tuple[Choice, ...]:
        """What is published and why, one choice for each operation of the document."""
        from exposer.gateway.policy import unroutable
        from exposer.openapi.fit import offered
        from exposer.openapi.operations import operations
        from exposer.openapi.profiles import load_profiles
        from exposer.openapi.select import choose

        ops = self._asked(document, operations(document))
        schema, auth = self.config.schema, self.config.backend.auth
        provided = (auth.header,) if auth else ()
        offer = offered(document, ops, client=schema.client, header=self.config.auth.header, provided=provided)
        unfit = {(operation.method, operation.path): why for operation, why in offer.dropped}
        unfit |= {(operation.method, operation.path): why for operation in ops if (why := unroutable(operation))}
        return choose(document, ops, schema, profiles=load_profiles(), unfit=unfit)

    def choose(self, document: Document) -> Documented:
        choices = self.choices(document)
        best_first = sorted((c for c in choices if c.published), key=lambda c: c.rank)
        published = tuple(c.operation for c in best_first)
        return Documented(document, published, len(choices), tuple(c.operation for c in choices if not c.published))

    def text(self, documented: Documented, url: str, client: str = "") -> Publication:
        """The documents for one public address; pure. Another client than the configured one gets no more operations:
        the gateway passes those that the configured one can call."""
        from exposer.openapi.publish import publish

        auth = self.config.backend.auth
        return publish(
            documented.document,
            documented.operations,
            public_url=url,
            auth_methods=self.config.auth.methods,
            header=self.config.auth.header,
            title=self.config.name,
            client=client or self.config.schema.client,
            provided=(auth.header,) if auth else (),
        )

    def publish(self, documented: Documented, url: str) -> Publication:
        from exposer.openapi.shelf import Shelf

        publication = self.text(documented, url)
        Shelf(self.places.schema).publish(self.config.schema.client, [pack.text for pack in publication.packs])
        return publication

    def upstream_headers(self) -> dict[str, str]:
        auth = self.config.backend.auth
        return {auth.header: resolve(auth.value).reveal()} if auth else {}

    def _asked(self, document: Document | None, ops: tuple[Operation, ...]) -> tuple[Operation, ...]:
        """With schema.strict the operations say which query parameters they take, and the gateway refuses others."""
        from exposer.openapi.declared import with_query

        return with_query(document, ops) if self.config.schema.strict else ops
