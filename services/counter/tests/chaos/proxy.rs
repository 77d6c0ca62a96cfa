//! A TCP proxy between one counter and one broker, whose line can be cut or stand still.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the line does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// It carries.
    Carries,
    /// Every connection is closed, and every new one at once.
    Cut,
    /// Connections stay open and carry nothing.
    StandsStill,
}

pub(crate) struct Proxy {
    line: watch::Sender<Line>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// From `port` to `target`, both on this machine.
    pub(crate) async fn start(port: u16, target: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let (line, watched) = watch::channel(Line::Carries);
        let task = tokio::spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else {
                    continue;
                };
                if *watched.borrow() != Line::Cut {
                    tokio::spawn(carry(client, target, watched.clone()));
                }
            }
        });
        Self { line, task }
    }

    pub(crate) fn set(&self, line: Line) {
        self.line.send_replace(line);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(client: TcpStream, target: u16, line: watch::Receiver<Line>) {
    let target = SocketAddr::from(([127, 0, 0, 1], target));
    let Ok(broker) = TcpStream::connect(target).await else {
        return;
    };
    client.set_nodelay(true).ok();
    broker.set_nodelay(true).ok();
    let (from_client, to_client) = client.into_split();
    let (from_broker, to_broker) = broker.into_split();
    // The end of one direction is the end of both.
    tokio::select! {
        () = pump(from_client, to_broker, line.clone()) => {}
        () = pump(from_broker, to_client, line) => {}
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, line: watch::Receiver<Line>) {
    let mut bytes = vec![0; 64 << 10];
    let (mut cut, mut moving) = (line.clone(), line);
    loop {
        let read = tokio::select! {
            _ = cut.wait_for(|line| *line == Line::Cut) => return,
            read = from.read(&mut bytes) => read,
        };
        let Ok(read @ 1..) = read else { return };
        match moving.wait_for(|line| *line != Line::StandsStill).await {
            Ok(line) if *line == Line::Carries => {}
            _ => return,
        }
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}
