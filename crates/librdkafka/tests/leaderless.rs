//! A broker's answer names a partition that has no leader at this moment: the client must not read past what it was told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::config::{
    ClientConfig, FromClientConfig as _, FromClientConfigAndContext as _, RDKafkaLogLevel,
};
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{ClientContext, Message as _, Offset, TopicPartitionList};

const HOST: &[u8] = b"127.0.0.1";
const TOPIC: &str = "mines";
const PARTITION: i32 = 0;
const PATIENCE: Duration = Duration::from_secs(60);

/// What the client library says.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<String>>>);

impl ClientContext for Said {
    fn log(&self, _level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.0.lock().unwrap().push(format!("{facility}: {message}"));
    }
}

impl ConsumerContext for Said {}

/// Stands before the brokers and takes the leaders out of what they answer.
#[derive(Default)]
struct Between {
    leaderless: AtomicBool,
    taken_out: AtomicUsize,
}

impl Between {
    /// Its addresses, in the order of the brokers'.
    fn start(self: &Arc<Self>, brokers: &[u16]) -> Vec<u16> {
        let listeners: Vec<TcpListener> = brokers
            .iter()
            .map(|_| TcpListener::bind(("127.0.0.1", 0)).unwrap())
            .collect();
        let ours: Vec<u16> = listeners
            .iter()
            .map(|listener| listener.local_addr().unwrap().port())
            .collect();
        let pairs: Vec<(u16, u16)> = brokers.iter().copied().zip(ours.iter().copied()).collect();
        for (listener, broker) in listeners.into_iter().zip(brokers.to_vec()) {
            let (between, pairs) = (Arc::clone(self), pairs.clone());
            thread::spawn(move || {
                for client in listener.incoming() {
                    let client = client.unwrap();
                    let server = TcpStream::connect(("127.0.0.1", broker)).unwrap();
                    let (mut asked, mut asks) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                    thread::spawn(move || std::io::copy(&mut asks, &mut asked));
                    let (between, pairs) = (Arc::clone(&between), pairs.clone());
                    thread::spawn(move || between.answers(server, client, &pairs));
                }
            });
        }
        ours
    }

    fn answers(
        &self,
        mut server: TcpStream,
        mut client: TcpStream,
        pairs: &[(u16, u16)],
    ) -> std::io::Result<()> {
        loop {
            let mut length = [0; 4];
            server.read_exact(&mut length)?;
            let mut answer = vec![0; u32::from_be_bytes(length) as usize];
            server.read_exact(&mut answer)?;
            for (theirs, ours) in pairs {
                let address = |port: u16| [HOST, &u32::from(port).to_be_bytes()].concat();
                replace(&mut answer, &address(*theirs), &address(*ours));
            }
            if self.leaderless.load(Ordering::SeqCst) {
                // One tag, the leader's (1), of nine bytes: leader, epoch, no tags of its own.
                let tag = |leader: i32| [&[1, 1, 9], &leader.to_be_bytes()[..]].concat();
                let found = replace(&mut answer, &tag(2), &tag(-1));
                self.taken_out.fetch_add(found, Ordering::SeqCst);
            }
            client.write_all(&length)?;
            client.write_all(&answer)?;
        }
    }
}

/// How often it was there.
fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) -> usize {
    assert_eq!(from.len(), to.len());
    let mut found = 0;
    for start in 0..bytes.len().saturating_sub(from.len() - 1) {
        if &bytes[start..start + from.len()] == from {
            bytes[start..start + from.len()].copy_from_slice(to);
            found += 1;
        }
    }
    found
}

fn publish(brokers: &str, payload: &str) {
    let producer = BaseProducer::from_config(ClientConfig::new().set("bootstrap.servers", brokers)).unwrap();
    producer
        .send(
            BaseRecord::<(), str>::to(TOPIC)
                .partition(PARTITION)
                .payload(payload),
        )
        .unwrap();
    producer.flush(PATIENCE).unwrap();
}

fn read(consumer: &BaseConsumer<Said>) -> String {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
            return message.payload_view::<str>().unwrap().unwrap().to_owned();
        }
    }
    panic!("nothing to read");
}

#[test]
fn a_partition_without_a_leader_is_left_out() {
    assert!(mineseal_librdkafka::mended());
    let cluster = MockCluster::new(2).unwrap();
    cluster.create_topic(TOPIC, 1, 1).unwrap();
    cluster.partition_leader(TOPIC, PARTITION, Some(1)).unwrap();
    let brokers = cluster.bootstrap_servers();
    let ports: Vec<u16> = brokers
        .split(',')
        .map(|address| address.rsplit(':').next().unwrap().parse().unwrap())
        .collect();
    let between = Arc::new(Between::default());
    let addresses: Vec<String> = between
        .start(&ports)
        .iter()
        .map(|port| format!("127.0.0.1:{port}"))
        .collect();

    publish(&brokers, "before");
    let said = Said::default();
    let consumer = BaseConsumer::from_config_and_context(
        ClientConfig::new()
            .set("bootstrap.servers", addresses.join(","))
            .set("group.id", "readers")
            .set_log_level(RDKafkaLogLevel::Warning),
        said.clone(),
    )
    .unwrap();
    let mut assignment = TopicPartitionList::new();
    assignment
        .add_partition_offset(TOPIC, PARTITION, Offset::Beginning)
        .unwrap();
    consumer.assign(&assignment).unwrap();
    assert_eq!(read(&consumer), "before");

    between.leaderless.store(true, Ordering::SeqCst);
    cluster.partition_leader(TOPIC, PARTITION, Some(2)).unwrap();
    publish(&brokers, "after");
    assert_eq!(read(&consumer), "after");

    assert!(
        between.taken_out.load(Ordering::SeqCst) > 0,
        "no answer named the new leader"
    );
    let said = said.0.lock().unwrap();
    let invented: Vec<&String> = said
        .iter()
        .filter(|line| line.starts_with("METADATAUPDATE"))
        .collect();
    assert!(invented.is_empty(), "leaders that nobody named: {invented:?}");
}
