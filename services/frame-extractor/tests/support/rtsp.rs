//! A real RTSP server, as a process.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

pub(crate) const LOGIN: [&str; 2] = ["operator", "s3c:ret/1"];

pub(crate) struct Server(Child);

impl Server {
    /// `login`: user and password that it asks for; empty: none.
    pub(crate) fn start(port: u16, login: impl IntoIterator<Item = &'static str>) -> Self {
        // From whichever package's tests.
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .map(|folder| folder.join("crates/video/tests/rtsp_server.py"))
            .find(|script| script.is_file())
            .unwrap();
        let mut process = Command::new("/usr/bin/python3")
            .arg(script)
            .arg(port.to_string())
            .args(login)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(line, "ready\n");
        Self(process)
    }
}

impl Server {
    /// Sends it a signal, such as `-STOP`.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .arg(name)
            .arg(self.0.id().to_string())
            .status()
            .unwrap();
        assert!(status.success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What its cameras' tests would call silence.
        if !std::thread::panicking() {
            assert_eq!(
                self.0.try_wait().unwrap(),
                None,
                "the RTSP server ended by itself"
            );
        }
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Whether there is an RTSP server to test with.
pub(crate) fn can_serve() -> bool {
    let python = Command::new("/usr/bin/python3")
        .args(["-c", "import gi; gi.require_version('GstRtspServer', '1.0')"])
        .stderr(Stdio::null())
        .status();
    if python.is_ok_and(|status| status.success()) {
        return true;
    }
    println!("skipped: an RTSP server needs gir1.2-gst-rtsp-server-1.0 and python3-gi, which are absent");
    false
}
