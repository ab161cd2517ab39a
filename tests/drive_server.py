"""A Google Drive (API version 2) on loopback: what its clients see of it, with faults on demand.

Tokens are given for assertions that a service account signed (RSA, verified here) and for codes of a sign-in page. Of
the items' fields only those are answered that were asked for; a query, path or parameter that Drive does not know is
refused, so that a client which asks wrongly fails here, too.
"""

import base64
import hashlib
import itertools
import json
import random
import re
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

FOLDER = "application/vnd.google-apps.folder"
SHORTCUT = "application/vnd.google-apps.shortcut"
DOCUMENT = "application/vnd.google-apps.document"
FAULTS = ("429", "500", "403", "html 502", "cut", "wrong body", "page token", "access token")


class Refused(Exception):
    """An answer other than 200: status and Google's word for the reason."""


class LocalDrive:
    """The files of a Drive and the server that shows them.

    Attributes:
        files: id -> facts and content. page: items of a list that are given at once.
        faults: number that are still to come. counts: those that came, by kind. full: nothing can be uploaded.
        unlisted: ids that lists do not show yet.
        asked: (method, path) of every request.
    """

    def __init__(self):
        self.files, self.sessions, self.tokens, self.codes = {}, {}, {}, {}
        self.page, self.lifetime, self.full, self.unlisted = 100, 3600, False, set()
        self.faults, self.chance, self.random, self.counts = 0, 0.65, random.Random(0), Counter()
        self.asked, self.lock, self.numbers = [], threading.RLock(), itertools.count(1)
        self.key = rsa.generate_private_key(65537, 2048)
        self.server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"drive": self}))
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.files["root"] = {"id": "root", "title": "My Drive", "mimeType": FOLDER, "parents": [], "labels": {}}

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def inject(self, count, seed):
        """Let so many of the coming requests go wrong."""
        self.faults, self.random = count, random.Random(seed)
        self.counts = Counter()

    # What a test puts there and looks at.

    def add(self, title, content=None, parent="root", kind=None, **facts):
        """Put a file (bytes), a folder (None) or a document of Google's (kind) there; returns its id."""
        with self.lock:
            key = facts.pop("id", None) or f"id-{next(self.numbers):06}"
            kind = kind or (FOLDER if content is None else "application/octet-stream")
            now = f"2026-11-01T00:{next(self.numbers) % 3600 // 60:02}:{next(self.numbers) % 60:02}.000Z"
            item = {"id": key, "title": title, "mimeType": kind, "parents": [{"id": parent}], "createdDate": now}
            self.files[key] = item | {"modifiedDate": now, "labels": {"trashed": False}} | facts
            if content is not None:
                self.write(key, content)
            return key

    def write(self, key, content, modified=None):
        item = self.files[key]
        item["content"] = content
        if not item["mimeType"].startswith("application/vnd.google-apps."):
            item |= {"fileSize": str(len(content)), "md5Checksum": hashlib.md5(content).hexdigest()}
        number = next(self.numbers)
        item["modifiedDate"] = (
            modified or f"2026-11-02T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}.500Z"
        )

    def tree(self, folder="root", prefix=""):
        """path -> content of everything in a folder that is not in the trash."""
        found = {}
        for item in self.inside(folder):
            path = prefix + item["title"]
            if item["mimeType"] == FOLDER:
                found |= self.tree(item["id"], f"{path}/")
            elif "content" in item:
                assert path not in found, f"{path} is there twice"
                found[path] = item["content"]
        return found

    def inside(self, folder):
        with self.lock:
            items = [item for item in self.files.values() if {"id": folder} in item["parents"]]
        return [item for item in items if not item["labels"]["trashed"]]

    def service_account(self, **other):
        """The key file's content of an account that this Drive knows."""
        pem = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        key = {"type": "service_account", "client_email": "robot@project.test", "client_id": "7", "private_key_id": "k"}
        return json.dumps(key | {"private_key": pem.decode(), "token_uri": f"{self.url}/token"} | other)

    def client_secrets(self):
        """The file of an OAuth client whose sign-in page and tokens are here."""
        client = {"client_id": "client", "client_secret": "not told", "redirect_uris": ["http://localhost"]}
        return json.dumps({"installed": client | {"auth_uri": f"{self.url}/auth", "token_uri": f"{self.url}/token"}})

    # Tokens.

    def give_token(self, form):
        grant = form["grant_type"]
        if grant.endswith("jwt-bearer"):
            self._verify(form["assertion"])
        elif grant == "authorization_code":
            if self.codes.pop(form["code"], None) is None:
                raise Refused(400, "invalid_grant")
        elif grant != "refresh_token" or form["refresh_token"] != "refresh":
            raise Refused(400, "invalid_grant")
        token = f"token-{next(self.numbers)}"
        self.tokens[token] = time.time() + self.lifetime
        answer = {"access_token": token, "expires_in": self.lifetime, "token_type": "Bearer"}
        return answer | ({"refresh_token": "refresh"} if grant == "authorization_code" else {})

    def _verify(self, assertion):
        """Check the signature and claims of a service account's assertion (RFC 7523)."""
        decode = lambda part: base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))  # noqa: E731
        signed, _, signature = assertion.rpartition(".")
        header, claims = (json.loads(decode(part)) for part in signed.split("."))
        try:
            public = self.key.public_key()
            public.verify(decode(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        except Exception:
            raise Refused(400, "invalid_grant") from None
        good = header["alg"] == "RS256" and claims["iss"] == "robot@project.test"
        good &= claims["aud"] == f"{self.url}/token" and claims["scope"] == "https://www.googleapis.com/auth/drive"
        if not (good and claims["iat"] - 60 < time.time() < claims["exp"]):
            raise Refused(400, "invalid_grant")

    def fault(self, suits):
        """The next fault, of those that suit a request, or None."""
        with self.lock:
            if not self.faults or self.random.random() > self.chance:
                return None
            kind = self.random.choice([kind for kind in FAULTS if suits(kind)])
            self.faults -= 1
            self.counts[kind] += 1
            return kind

    # The API: each takes the request and gives an item or bytes.

    def list(self, q):
        query = re.sub(r"\\(.)", lambda match: f"\\{ord(match[1]):03}", q.get("q", ""))
        tests = [self._test(term) for term in query.split(" and ")]
        with self.lock:
            found = [item for item in self.files.values() if item["parents"] or item.get("shared")]
        found = [item for item in found if item["id"] not in self.unlisted and all(test(item) for test in tests)]
        start = int(q.get("pageToken", "page-0").removeprefix("page-"))
        answer = {"items": [self._fields(item, q["fields"]) for item in found[start : start + self.page]]}
        more = {"nextPageToken": f"page-{start + self.page}"} if start + self.page < len(found) else {}
        return answer | {"incompleteSearch": False} | more

    def _test(self, term):
        term = re.sub(r"\\(\d{3})", lambda match: chr(int(match[1])), term)
        if match := re.fullmatch(r"'(.*)' in parents", term):
            self.item(match[1])
            return lambda item: {"id": match[1]} in item["parents"]
        if match := re.fullmatch(r"(title|mimeType)='(.*)'", term, re.DOTALL):
            return lambda item: item[match[1]] == match[2]
        if term == "trashed=false":
            return lambda item: not item["labels"]["trashed"]
        if term == "sharedWithMe":
            return lambda item: item.get("shared", False)
        raise Refused(400, "invalid")

    @staticmethod
    def _fields(item, fields):
        asked = re.search(r"items\(([^)]*)\)", fields)
        names = [name.split("(")[0] for name in (asked[1] if asked else fields).split(",")]
        return {name: item[name] for name in names if name in item}

    def item(self, key):
        with self.lock:
            if key not in self.files:
                raise Refused(404, "notFound")
            return self.files[key]

    def insert(self, body):
        with self.lock:
            if body.get("id") in self.files:
                raise Refused(409, "fileIdInUse")
            if body["id"] not in self.codes:
                raise Refused(400, "invalid")
            parent = body["parents"][0]["id"]
            self.item(parent)
            return self.add(
                body["title"], None, parent, body.get("mimeType", "application/octet-stream"), id=body["id"]
            )


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        if not isinstance(sys.exception(), ConnectionError):  # a client that was killed
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize, disable_nagle_algorithm = -1, True  # an answer in one packet
    drive: LocalDrive

    def log_message(self, *_):
        pass

    def _serve(self):
        url = urlsplit(self.path)
        self.q = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.drive.asked.append((self.command, self.path))
        try:
            self._route(url.path)
        except Refused as refused:
            status, reason = refused.args
            error = (
                reason if url.path == "/token" else {"code": status, "message": reason, "errors": [{"reason": reason}]}
            )
            self._answer(status, {"error": error})

    do_GET = do_POST = do_PUT = do_PATCH = _serve

    def _route(self, path):
        if path == "/auth":
            return self._page()
        if path == "/token":
            form = {name: values[0] for name, values in parse_qs(self.body.decode()).items()}
            return self._answer(200, self.drive.give_token(form))
        if not path.startswith("/session/"):
            self._require_token()
        self.kind = self.drive.fault(self._suits)
        if self._failed():
            return None
        for pattern, do in ROUTES:
            if match := re.fullmatch(pattern, f"{self.command} {path}"):
                return do(self, *match.groups())
        raise Refused(404, "notFound")

    def _page(self):
        """The page where the user agrees: goes straight back to the client with a code."""
        code = f"code-{next(self.drive.numbers)}"
        self.drive.codes[code] = True
        self._answer(302, b"", {"Location": f"{self.q['redirect_uri']}?{urlencode({'code': code})}"})

    def _require_token(self):
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.drive.tokens.get(token, 0) < time.time():
            raise Refused(401, "authError")

    def _suits(self, kind):
        listing = self.command == "GET" and self.path.startswith("/drive/v2/files?")
        bytes_asked = "alt=media" in self.path
        only = {
            "page token": listing and "pageToken" in self.q,
            "wrong body": bytes_asked,
            "cut": self.command == "GET",
        }
        return only.get(kind, kind != "access token" or not self.path.startswith("/session/"))

    def _failed(self) -> bool:
        """Answer with the fault that is due, if it is one in place of an answer."""
        if self.kind == "html 502":
            self._answer(502, b"<html>Bad Gateway</html>", {"Content-Type": "text/html"})
        elif self.kind == "access token":
            self.drive.tokens.pop(self.headers.get("Authorization", "").removeprefix("Bearer "), None)
            raise Refused(401, "authError")
        elif self.kind in ("429", "500", "403", "page token"):
            status, reason = {
                "429": (429, "rateLimitExceeded"), "500": (500, "backendError"),
                "403": (403, "userRateLimitExceeded"), "page token": (400, "invalid"),
            }[self.kind]  # fmt: skip
            raise Refused(status, reason)
        return self.kind == "html 502"

    def _answer(self, status, content, headers=None):
        if not isinstance(content, bytes):
            content, headers = json.dumps(content).encode(), {"Content-Type": "application/json"} | (headers or {})
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if getattr(self, "kind", None) == "cut" and content:
            content, self.close_connection = content[: len(content) // 2], True
        self.wfile.write(content)

    def _list(self):
        self._answer(200, self.drive.list(self.q))

    def _about(self):
        self._answer(200, {"user": {"emailAddress": "robot@project.test"}})

    def _ids(self):
        ids = [f"new-{next(self.drive.numbers):06}" for _ in range(int(self.q["maxResults"]))]
        self.drive.codes |= dict.fromkeys(ids)
        self._answer(200, {"ids": ids})

    def _get(self, key):
        item = self.drive.item(key)
        if self.q.get("alt") != "media":
            return self._answer(200, self.drive._fields(item, self.q["fields"]))
        if "md5Checksum" not in item:
            raise Refused(403, "fileNotDownloadable")
        content, size = item["content"], len(item["content"])
        if self.kind == "wrong body":
            content = bytes(byte ^ 1 for byte in content)
        first, last = map(int, re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"]).groups())
        if first >= size:
            return self._answer(416, b"", {"Content-Range": f"bytes */{size}"})
        last = min(last, size - 1)
        return self._answer(206, content[first : last + 1], {"Content-Range": f"bytes {first}-{last}/{size}"})

    def _export(self, key):
        content = self.drive.item(key)["content"]
        if not isinstance(content, dict) or self.q["mimeType"] not in content:
            raise Refused(400, "badRequest")
        self._answer(200, content[self.q["mimeType"]])

    def _insert(self):
        self._answer(200, {"id": self.drive.insert(json.loads(self.body))})

    def _patch(self, key):
        self.drive.item(key).update(json.loads(self.body))
        self._answer(200, {"id": key})

    def _trash(self, key):
        self.drive.item(key)["labels"]["trashed"] = True
        self._answer(200, {"id": key})

    def _upload(self, key=None):
        if self.q.get("uploadType") != "resumable":
            raise Refused(400, "badRequest")
        if self.drive.full:
            raise Refused(403, "storageQuotaExceeded")
        if key:
            self.drive.item(key)
        session = f"{next(self.drive.numbers)}"
        size = int(self.headers["X-Upload-Content-Length"])
        self.drive.sessions[session] = {
            "key": key,
            "body": json.loads(self.body),
            "got": b"",
            "size": size,
            "q": self.q,
        }
        self._answer(200, b"", {"Location": f"{self.drive.url}/session/{session}"})

    def _piece(self, session):
        state = self.drive.sessions.get(session)
        if state is None:
            raise Refused(404, "notFound")
        given = re.fullmatch(
            r"bytes (?:\*|(\d+)-\d+)/\d+", self.headers.get("Content-Range", f"bytes 0-0/{state['size']}")
        )
        if given[1] and int(given[1]) == len(state["got"]):
            state["got"] += self.body
        if len(state["got"]) < state["size"]:
            known = {"Range": f"bytes=0-{len(state['got']) - 1}"} if state["got"] else {}
            return self._answer(308, b"", known)
        if "done" not in state:
            state["done"] = state["key"] or self.drive.insert(state["body"])
            self.drive.write(state["done"], state["got"], state["body"].get("modifiedDate"))
        return self._answer(200, self.drive._fields(self.drive.item(state["done"]), state["q"]["fields"]))


ROUTES = [
    (r"GET /drive/v2/files", _Handler._list),
    (r"GET /drive/v2/about", _Handler._about),
    (r"GET /drive/v2/files/generateIds", _Handler._ids),
    (r"GET /drive/v2/files/([\w-]+)", _Handler._get),
    (r"GET /drive/v2/files/([\w-]+)/export", _Handler._export),
    (r"POST /drive/v2/files", _Handler._insert),
    (r"PATCH /drive/v2/files/([\w-]+)", _Handler._patch),
    (r"POST /drive/v2/files/([\w-]+)/trash", _Handler._trash),
    (r"(?:POST|PUT) /upload/drive/v2/files(?:/([\w-]+))?", _Handler._upload),
    (r"PUT /session/(\d+)", _Handler._piece),
]
