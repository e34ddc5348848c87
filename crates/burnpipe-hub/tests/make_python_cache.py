"""Writes tests/python-cache, a cache made by the real `huggingface_hub`.

    pip install "huggingface_hub<1.0"
    python crates/burnpipe-hub/tests/make_python_cache.py

A small server on this machine plays the Hub; nothing else is contacted.
"""

import hashlib
import json
import os
import shutil
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    "config.json": b'{"model_type": "bert", "id2label": {"0": "no", "1": "yes"}}',
    "1_Pooling/config.json": b'{"pooling_mode_mean_tokens": true}',
    "model.safetensors": b"not really weights",
}


class Hub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.answer(with_body=False)

    def do_GET(self):
        self.answer(with_body=True)

    def answer(self, with_body):
        name = self.path.split("/resolve/", 1)[-1].split("/", 1)[-1]
        if self.path.startswith("/blob/"):
            name = "model.safetensors"
            return self.send(200, {"ETag": '"cdn"'}, FILES[name], with_body)
        if name not in FILES:
            headers = {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT}
            return self.send(404, headers, b"", with_body)
        body = FILES[name]
        headers = {"X-Repo-Commit": COMMIT}
        if name.endswith(".safetensors"):
            digest = hashlib.sha256(body).hexdigest()
            headers |= {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(body))}
            headers["Location"] = f"{os.environ['HF_ENDPOINT']}/blob/{digest}"
            return self.send(302, headers, b"", with_body)
        git_blob = b"blob %d\0" % len(body) + body
        headers["ETag"] = f'"{hashlib.sha1(git_blob).hexdigest()}"'
        self.send(200, headers, body, with_body)

    def send(self, status, headers, body, with_body):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ["HF_ENDPOINT"] = f"http://127.0.0.1:{server.server_port}"
    os.environ["HF_HUB_DISABLE_XET"] = "1"
    cache = Path(tempfile.mkdtemp())

    # Read only now, since the module takes its endpoint when it is imported.
    import huggingface_hub
    from huggingface_hub.utils import EntryNotFoundError

    for name in FILES:
        huggingface_hub.hf_hub_download("org/tiny", name, cache_dir=cache, token=False)
    huggingface_hub.hf_hub_download("org/tiny", "config.json", revision="v1.0", cache_dir=cache, token=False)
    try:
        huggingface_hub.hf_hub_download("org/tiny", "vocab.txt", cache_dir=cache, token=False)
    except EntryNotFoundError:
        pass

    target = Path(__file__).parent / "python-cache"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(cache, target, symlinks=True, ignore=shutil.ignore_patterns(".locks"))
    shutil.rmtree(cache)
    (target / "MADE_BY").write_text(f"huggingface_hub {huggingface_hub.__version__}, make_python_cache.py\n")


if __name__ == "__main__":
    main()
