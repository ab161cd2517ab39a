"""Google Drive behind a small class: list, get, put, trash. PyDrive2 lists, googleapiclient does the rest."""

import json
import logging
import mimetypes
import os
import re
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import httplib2

from drive_sync import signin
from drive_sync.faults import BackOff, DriveError
from drive_sync.listing import FOLDER, SHORTCUT, Remote, md5_of

CHUNK = 8 << 20  # bytes asked for or sent at once
ITEM = "id,title,mimeType,fileSize,md5Checksum,modifiedDate,createdDate,shortcutDetails"
PAGE = f"nextPageToken,incompleteSearch,items({ITEM})"
PAUSE = "RCGAN_DRIVE_PAUSE"  # environment: seconds of the first wait after a fault
ADDRESS = re.compile(r"https://drive\.google\.com/drive/(?:u/\d+/)?folders/([\w-]+)|id:([\w-]+)")


class Drive:
    """A signed-in Drive.

    Args:
        auth: of `signin.load`.
        tries: how often each request is made before it counts as failed.
        pause: seconds of the first wait; RCGAN_DRIVE_PAUSE, else 1.
    """

    def __init__(self, auth, *, tries=8, pause=None):
        logging.getLogger("googleapiclient.http").setLevel(logging.ERROR)  # faults are told by faults.py
        self.auth = auth
        self.auth.service = _service(auth)
        self.back_off = BackOff(tries, float(os.environ.get(PAUSE, 1)) if pause is None else pause)
        self.files = auth.service.files()
        self._token, self._new_ids = threading.Lock(), []

    def _http(self):
        """A connection of this thread's own: httplib2 cannot be shared. The token is renewed by one thread alone."""
        if not hasattr(self.auth.thread_local, "http"):
            self.auth.thread_local.http = self.auth.Get_Http_Object()
        with self._token:
            if self.auth.credentials.access_token is None or self.auth.access_token_expired:
                self.auth.credentials.refresh(httplib2.Http(timeout=signin.TIMEOUT))
        return self.auth.thread_local.http

    def _call(self, do):
        """`do(http)`, with back-off."""
        try:
            return self.back_off.call(lambda: do(self._http()))
        except DriveError as error:
            if error.reason == "notSignedIn":
                raise signin.NotSignedIn(f"{error}; it may have been withdrawn. {signin.HOW}") from error
            raise

    def _ask(self, request) -> dict:
        return self._call(lambda http: request.execute(http=http))

    def about(self) -> str:
        """Whose Drive this is."""
        return self._ask(self.auth.service.about().get(fields="user"))["user"]["emailAddress"]

    def find(self, where) -> str:
        """Id of a folder, by its path below My Drive (or from a folder shared with you on), its address, or id:ID.

        Raises: FileNotFoundError: there is none. ValueError: there are several.
        """
        given = ADDRESS.match(where)
        if given:
            return self._folder_with(given[1] or given[2])
        folder, parts = "root", [part for part in where.split("/") if part]
        for depth, title in enumerate(parts):
            found = self._children(f"{_in(folder)} and {_folder(title)}")
            if not found and depth == 0:
                found = self._children(f"sharedWithMe and trashed=false and {_folder(title)}")
            if len(found) != 1:
                path = "/".join(parts[: depth + 1])
                if found:
                    raise ValueError(f"{len(found)} folders in Drive are called {path}; give the address of one.")
                raise FileNotFoundError(f"there is no folder {path} in this Drive.")
            folder = found[0]["id"]
        return folder

    def _folder_with(self, key):
        try:
            fields = "mimeType,labels(trashed)"
            item = self._ask(self.files.get(fileId=key, supportsAllDrives=True, fields=fields))
        except DriveError as error:
            if error.status != 404:
                raise
            raise FileNotFoundError(f"there is no {key} in Drive, or it is not shared with you.") from error
        if item["mimeType"] != FOLDER:
            raise ValueError(f"{key} is no folder in Drive.")
        if item.get("labels", {}).get("trashed"):  # all in it would seem to be deleted
            raise FileNotFoundError(f"the folder {key} lies in Drive's trash.")
        return key

    def make(self, where) -> str:
        """Id of the folder with this path, made where it is missing."""
        folder, path = "root", ""
        for title in (part for part in where.split("/") if part):
            path = f"{path}/{title}"
            try:
                folder = self.find(path)
            except FileNotFoundError:
                folder = self.mkdir(title, folder)
        return folder

    def walk(self, root, *, at_once=4) -> dict[str, list[dict]]:
        """Everything in a folder: id of each folder -> its items, as `listing.arrange` takes them.

        Asked folder by folder: Drive's answers for several at once have been incomplete.
        Raises: DriveError: a folder could not be listed; then nothing is known.
        """
        found, level = {}, {root}
        with ThreadPoolExecutor(at_once) as pool:
            try:
                while level:
                    asked = sorted(level)
                    found |= zip(asked, pool.map(lambda folder: self._children(_in(folder)), asked), strict=True)
                    inside = {item["id"] for folder in asked for item in found[folder] if item["mimeType"] == FOLDER}
                    level = inside - found.keys()
            except BaseException:
                self.back_off.stop.set()  # the others need not be waited for
                raise
        return found

    def _children(self, query) -> list[dict]:
        """All items that a query finds; a list whose page token expires is begun anew."""
        from pydrive2.drive import GoogleDrive

        for attempt in range(self.back_off.tries):
            pages = GoogleDrive(self.auth).ListFile({"q": query, "maxResults": 1000, "fields": PAGE})
            try:
                items = self._pages(pages)
            except DriveError as error:
                if error.status != 400 or not pages.get("pageToken") or attempt == self.back_off.tries - 1:
                    raise
                self.back_off.wait(attempt)
            else:
                return [self._followed(item) for item in items]

    def _pages(self, pages) -> list[dict]:
        items = []
        while "pageToken" not in pages or pages["pageToken"]:
            items += [dict(item) for item in self._call(lambda _: next(pages))]
            if pages.metadata.get("incompleteSearch"):
                raise DriveError("Drive did not list everything; try again later", temporary=True)
        return items

    def _followed(self, item):
        """A shortcut's target under the shortcut's title; the shortcut where nothing is behind it."""
        if item["mimeType"] != SHORTCUT:
            return item
        target = item.get("shortcutDetails", {}).get("targetId", "")
        request = self.files.get(fileId=target, supportsAllDrives=True, fields=f"{ITEM},labels(trashed)")
        try:
            behind = self._ask(request)
        except DriveError as error:
            if error.status != 404:
                raise
            return item
        if behind["mimeType"] == SHORTCUT or behind.get("labels", {}).get("trashed"):
            return item
        return {**behind, "shortcut": item["id"], "title": item["title"], "createdDate": item["createdDate"]}

    def get(self, remote: Remote, partial, on_bytes=lambda count: None):
        """Download into a file, going on with what is there of it, until it is what Drive lists.

        Args:
            partial: its name must stand for this very content: what it holds is taken for the beginning.
            on_bytes: is told how many bytes came (less than 0: had to be thrown away).
        Raises: DriveError: also where it is not whole after all tries.
        """
        partial = Path(partial)
        for attempt in range(self.back_off.tries):
            if remote.export:  # the answer has no ranges
                partial.unlink(missing_ok=True)
            try:
                self._download(remote, partial, on_bytes)
            except DriveError as error:
                if error.status != 416:
                    raise
            if _whole(remote, partial):
                return
            on_bytes(-partial.stat().st_size)
            partial.unlink()
            self.back_off.wait(attempt)
        raise DriveError("what comes is not what Drive lists (another md5); try again later", temporary=True)

    def _download(self, remote, partial, on_bytes):
        from googleapiclient.http import MediaIoBaseDownload

        request = self.files.get_media(fileId=remote.id, supportsAllDrives=True)
        if remote.export:
            request = self.files.export_media(fileId=remote.id, mimeType=remote.export)
        with open(partial, "ab") as file:
            download = MediaIoBaseDownload(file, request, chunksize=CHUNK)
            download._progress = before = file.tell()  # where an earlier one ended; there is no public way
            done = remote.size is not None and before >= max(remote.size, 1)
            while not done:
                _, done = self._call(lambda http: _next(download, request, http))
                on_bytes(file.tell() - before)
                before = file.tell()
            file.flush()
            os.fsync(file.fileno())

    def put(self, path, mtime, *, title="", parent="", remote=None, on_bytes=lambda count: None) -> Remote:
        """Upload a file as a new one into `parent`, or as the new content of `remote`. `mtime` in nanoseconds.

        Raises: DriveError.
        """
        kind = mimetypes.guess_type(str(path))[0] or "application/octet-stream"
        media = _media(path, kind)
        body = {"modifiedDate": datetime.fromtimestamp(mtime / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
        usual = {"media_body": media, "supportsAllDrives": True, "fields": ITEM}
        try:
            if remote:
                ask = lambda: self.files.update(fileId=remote.id, body=body, setModifiedDate=True, **usual)  # noqa: E731
            else:
                body |= {"id": self._new_id(), "title": title, "parents": [{"id": parent}]}
                ask = lambda: self.files.insert(body=body, **usual)  # noqa: E731
            item = self._upload(ask, body.get("id"), on_bytes)
        finally:
            media.stream().close()
        md5 = item.get("md5Checksum", "")
        return Remote(item["id"], item["title"], md5, md5, int(item["fileSize"]), item["modifiedDate"], "", item["id"])

    def _upload(self, ask, new_id, on_bytes) -> dict:
        """An upload in pieces; one whose session Drive forgot begins anew."""
        for _ in range(self.back_off.tries):
            request, sent = ask(), 0
            try:
                for item, progress in self._pieces(request):
                    on_bytes(progress - sent)
                    sent = progress
                    if item:
                        return item
            except DriveError as error:
                if error.status == 409 and new_id:  # it arrived, and the answer was lost
                    return self._ask(self.files.get(fileId=new_id, supportsAllDrives=True, fields=ITEM))
                if error.status not in (404, 410) or not request.resumable_uri:
                    raise
                on_bytes(-sent)
        raise DriveError("Drive forgot the upload again and again; try again later", temporary=True)

    def _pieces(self, request):
        """Send piece after piece; gives the item (None before the last one) and the bytes that are there."""
        item = None
        while item is None:
            _, item = self._call(lambda http: request.next_chunk(http=http))
            yield item, request.resumable.size() if item else request.resumable_progress

    def _new_id(self):
        """An id made by Drive beforehand: a request that is repeated with it makes one file and not two."""
        with self._token:
            if self._new_ids:
                return self._new_ids.pop()
        ids = self._ask(self.files.generateIds(maxResults=100, fields="ids"))["ids"]
        with self._token:
            self._new_ids += ids
            return self._new_ids.pop()

    def mkdir(self, title, parent) -> str:
        """Make a folder; returns its id."""
        body = {"id": self._new_id(), "title": title, "mimeType": FOLDER, "parents": [{"id": parent}]}
        try:
            self._ask(self.files.insert(body=body, supportsAllDrives=True, fields="id"))
        except DriveError as error:
            if error.status != 409:
                raise
        return body["id"]

    def rename(self, key, title):
        self._ask(self.files.patch(fileId=key, body={"title": title}, supportsAllDrives=True, fields="id"))

    def require_unchanged(self, remote: Remote):
        """Raises: DriveError: the file is not what it was when it was listed."""
        item = self._ask(self.files.get(fileId=remote.id, supportsAllDrives=True, fields="md5Checksum"))
        if item.get("md5Checksum", "") != remote.md5:
            raise DriveError("it changed in Drive since it was listed; sync again", temporary=True)

    def require_gone(self, key, folder):
        """Raises: DriveError: a file that is listed no more lies in the folder after all."""
        fields = "parents(id),labels(trashed)"
        try:
            item = self._ask(self.files.get(fileId=key, supportsAllDrives=True, fields=fields))
        except DriveError as error:
            if error.status != 404:
                raise
            return
        if folder in [parent["id"] for parent in item.get("parents", [])] and not item["labels"]["trashed"]:
            raise DriveError("Drive did not list it, and yet it is there; sync again", temporary=True)

    def trash(self, key):
        """Put into Drive's trash, where it stays for thirty days."""
        self._ask(self.files.trash(fileId=key, supportsAllDrives=True, fields="id"))


def _service(auth):
    """The Drive API, version 2, as googleapiclient describes it; at another address where the environment names one."""
    from googleapiclient import discovery
    from googleapiclient.discovery_cache import get_static_doc

    description, url = json.loads(get_static_doc("drive", "v2")), signin.endpoint()
    if url:
        description |= {"rootUrl": f"{url}/", "baseUrl": f"{url}/drive/v2/"}
        description.pop("mtlsRootUrl", None)
    return discovery.build_from_document(description, http=auth.Get_Http_Object())


def _in(folder):
    return f"'{folder}' in parents and trashed=false"


def _folder(title):
    quoted = title.replace("\\", "\\\\").replace("'", "\\'")
    return f"title='{quoted}' and mimeType='{FOLDER}'"


def _media(path, kind):
    from googleapiclient.http import MediaFileUpload

    class Pieces(MediaFileUpload):
        def has_stream(self):
            return False  # httplib2 sends a request again when a connection breaks; a stream would be at its end then

    return Pieces(str(path), mimetype=kind, chunksize=CHUNK, resumable=True)


def _next(download, request, http):
    request.http = http
    return download.next_chunk()


def _whole(remote, partial) -> bool:
    """Whether a download is what Drive lists; of an export, which has no md5, whether it can be opened."""
    if not remote.export:
        return md5_of(partial) == remote.md5
    if "officedocument" not in remote.export:
        return partial.stat().st_size > 0
    try:
        with zipfile.ZipFile(partial) as file:
            return file.testzip() is None
    except (zipfile.BadZipFile, OSError, EOFError):
        return False
