"""Certificates and kubeconfigs of the test cluster, by openssl."""

import json
import subprocess

SERVER, CLIENT = "extendedKeyUsage=serverAuth", "extendedKeyUsage=clientAuth"


def openssl(*arguments, given=None):
    subprocess.run(["openssl", *map(str, arguments)], input=given, check=True, capture_output=True, text=True)


class Authority:
    """An authority with its folder. Everything is valid for a week: no test runs longer."""

    def __init__(self, folder, server):
        self.folder, self.server = folder, server
        folder.mkdir(parents=True)
        for name in ("ca", "front-proxy-ca"):
            self.key(name)
            openssl("req", "-x509", "-new", "-key", self[f"{name}.key"], "-subj", f"/CN={name}", "-days", 7, "-out", self[f"{name}.crt"])
        openssl("genrsa", "-out", self["accounts.key"], 2048)
        openssl("rsa", "-in", self["accounts.key"], "-pubout", "-out", self["accounts.pub"])

    def __getitem__(self, file):
        return self.folder / file

    def key(self, name):
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self[f"{name}.key"])

    def issue(self, name, subject, *extensions, authority="ca"):
        self.key(name)
        openssl("req", "-new", "-key", self[f"{name}.key"], "-subj", subject, "-out", self[f"{name}.csr"])
        (self[f"{name}.ext"]).write_text("\n".join(extensions))
        openssl("x509", "-req", "-in", self[f"{name}.csr"], "-CA", self[f"{authority}.crt"], "-CAkey", self[f"{authority}.key"],
                "-CAcreateserial", "-days", 7, "-extfile", self[f"{name}.ext"], "-out", self[f"{name}.crt"])

    def user(self, name, subject):
        """A client certificate and the kubeconfig that uses it; the path of the latter."""
        self.issue(name, subject, CLIENT)
        path = self[f"{name}.kubeconfig"]
        path.write_text(json.dumps({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {"server": self.server, "certificate-authority": str(self["ca.crt"])}}],
            "users": [{"name": name, "user": {"client-certificate": str(self[f"{name}.crt"]), "client-key": str(self[f"{name}.key"])}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": name}}],
            "current-context": "test",
        }))
        return path
