//! A line to Kafka that carries so many bytes a second, and no more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Carries what clients send to one broker; the answers are not held up.
pub(crate) struct Line {
    gate: Arc<Gate>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Gate {
    /// Bytes a second; 0 for as many as come.
    rate: AtomicU64,
    carried: AtomicU64,
    /// When what was let through last has been carried; of all connections together.
    free_at: Mutex<Option<Instant>>,
}

impl Line {
    /// From `port` to `target`, both on this machine.
    pub(crate) async fn start(port: u16, target: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let gate = Arc::new(Gate::default());
        let shared = Arc::clone(&gate);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, target, Arc::clone(&shared)));
            }
        });
        Self { gate, task }
    }

    /// From now on so many bytes a second; 0 for as many as come.
    pub(crate) fn limit(&self, bytes_a_second: u64) {
        self.gate.rate.store(bytes_a_second, Ordering::Relaxed);
    }

    /// Bytes that it has carried to the broker.
    pub(crate) fn carried(&self) -> u64 {
        self.gate.carried.load(Ordering::Relaxed)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Gate {
    /// Waits until so many bytes may pass.
    async fn pass(&self, bytes: usize) {
        self.carried.fetch_add(bytes as u64, Ordering::Relaxed);
        let rate = self.rate.load(Ordering::Relaxed);
        if rate == 0 {
            return;
        }
        let until = {
            let mut free_at = self.free_at.lock().await;
            let begins = free_at.map_or_else(Instant::now, |free_at| free_at.max(Instant::now()));
            let until = begins + Duration::from_secs_f64(bytes as f64 / rate as f64);
            *free_at = Some(until);
            until
        };
        tokio::time::sleep_until(until).await;
    }
}

async fn carry(client: TcpStream, target: u16, gate: Arc<Gate>) {
    let Ok(broker) = TcpStream::connect(("127.0.0.1", target)).await else {
        return;
    };
    client.set_nodelay(true).ok();
    broker.set_nodelay(true).ok();
    let (from_client, to_client) = client.into_split();
    let (from_broker, to_broker) = broker.into_split();
    // The end of one direction is the end of both.
    tokio::select! {
        () = pump(from_client, to_broker, Some(gate)) => {}
        () = pump(from_broker, to_client, None) => {}
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, gate: Option<Arc<Gate>>) {
    let mut bytes = vec![0; 8 << 10];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        if let Some(gate) = &gate {
            gate.pass(read).await;
        }
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}
