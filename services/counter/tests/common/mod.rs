//! A small counting of the tests' own, and what they need to feed it and to look at what it did.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mineseal_bus::{Bus, BusSettings, TopicLayout};
use mineseal_counter::{CounterSettings, Input, Registrations, StepError, Stepper};
use mineseal_domain::MineCode;
use mineseal_engine::Output;
use mineseal_schemas::samples::{Samples, samples};
use mineseal_schemas::{CounterState, Crossing, Detections, Headcount, MouthCount, Record, decode};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};
use uuid::Uuid;

pub(crate) const MINES: i64 = 24;
pub(crate) const PARTITIONS: i32 = 4;
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// Counts a mine's records: each gives a crossing with its number and a headcount with the count so far. One lost
/// or doubled record shows in every later headcount of its mine.
pub(crate) struct Tally;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TallyState {
    pub(crate) seen: i64,
    /// Over the numbers in their order.
    pub(crate) checksum: i64,
}

impl TallyState {
    pub(crate) fn take(&mut self, number: i64) {
        self.seen += 1;
        self.checksum = self.checksum.wrapping_mul(31).wrapping_add(number);
    }
}

impl Stepper for Tally {
    type State = TallyState;

    fn begin(&self, _mine: &MineCode) -> TallyState {
        TallyState::default()
    }

    fn step(&self, state: &mut TallyState, _: &Registrations, input: &Input) -> Vec<Output> {
        let Detections {
            mine,
            camera,
            sequence,
            captured_at,
            ..
        } = input.detections.clone();
        state.take(sequence);
        let sample = samples().unwrap();
        let crossing = Crossing {
            mine: mine.clone(),
            camera: camera.clone(),
            track: sequence,
            ..sample.crossing
        };
        let headcount = Headcount {
            mine,
            people: state.seen,
            mouths: vec![MouthCount {
                camera,
                line: "mouth".to_owned(),
                entered: state.checksum,
                left: 0,
            }],
            at: captured_at,
            partition: input.partition,
            offset: input.offset,
            ..sample.headcount
        };
        vec![Output::Crossing(crossing), Output::Headcount(headcount)]
    }

    fn format(&self) -> i32 {
        7
    }

    fn encode(&self, state: &TallyState) -> Result<Vec<u8>, StepError> {
        Ok([state.seen.to_be_bytes(), state.checksum.to_be_bytes()].concat())
    }

    fn decode(&self, _mine: &MineCode, format: i32, bytes: &[u8]) -> Result<TallyState, StepError> {
        let number = |bytes: &[u8]| bytes.try_into().map(i64::from_be_bytes);
        match (format, number(&bytes[..8]), number(&bytes[8..])) {
            (7, Ok(seen), Ok(checksum)) => Ok(TallyState { seen, checksum }),
            _ => Err(StepError("not a tally".to_owned())),
        }
    }
}

pub(crate) fn brokers() -> String {
    std::env::var("MINESEAL_TEST_KAFKA").expect("set MINESEAL_TEST_KAFKA (make test starts one)")
}

pub(crate) fn bus_at(brokers: &str, prefix: &str) -> Bus {
    let mut settings = BusSettings::new(brokers);
    settings.topic_prefix = prefix.to_owned();
    settings.client_id = "counter".to_owned();
    Bus::connect(settings).unwrap()
}

pub(crate) async fn fresh_bus() -> Bus {
    let bus = bus_at(&brokers(), &format!("test-{}", Uuid::now_v7().simple()));
    prepare(&bus).await;
    bus
}

pub(crate) async fn prepare(bus: &Bus) {
    prepare_with(bus, PARTITIONS, 1).await;
}

pub(crate) async fn prepare_with(bus: &Bus, partitions: i32, replication: i32) {
    bus.wait_until_ready(SOON).await.unwrap();
    let layout = TopicLayout {
        mine_partitions: partitions,
        camera_partitions: 2,
        replication,
    };
    bus.ensure_topics(layout).await.unwrap();
}

pub(crate) fn settings(instance: Option<&str>) -> CounterSettings {
    CounterSettings {
        instance: instance.map(str::to_owned),
        commit_interval: Duration::from_millis(20),
        max_records: 200,
        session_timeout: Duration::from_secs(6),
        transaction_timeout: Duration::from_secs(10),
        ..CounterSettings::default()
    }
}

pub(crate) fn sample() -> Samples {
    samples().unwrap()
}

pub(crate) fn mine(number: i64) -> MineCode {
    format!("1506020078{:02}", number % MINES).parse().unwrap()
}

pub(crate) fn detections(number: i64) -> Detections {
    Detections {
        mine: mine(number),
        sequence: number,
        ..sample().detections
    }
}

/// Feeds the records with these numbers, at most `per_second`.
pub(crate) async fn feed(bus: &Bus, numbers: std::ops::Range<i64>, per_second: i64) {
    let publisher = bus.publisher().unwrap();
    let began = Instant::now();
    let first = numbers.start;
    let mut deliveries = Vec::new();
    for number in numbers {
        deliveries.push(
            publisher
                .enqueue(&detections(number), Default::default())
                .await
                .unwrap(),
        );
        if number % 50 == 0 {
            let due = Duration::from_millis(u64::try_from((number - first) * 1000 / per_second).unwrap());
            tokio::time::sleep(due.saturating_sub(began.elapsed())).await;
        }
    }
    for delivery in deliveries {
        delivery.acknowledged().await.unwrap();
    }
}

/// All committed records of a topic, in the order of their partitions.
pub(crate) async fn read_all<R: Record + Send + 'static>(bus: &Bus) -> Vec<R> {
    read_all_placed(bus)
        .await
        .into_iter()
        .map(|(record, _)| record)
        .collect()
}

/// The same with partition and offset.
pub(crate) async fn read_all_placed<R: Record + Send + 'static>(bus: &Bus) -> Vec<(R, (i32, i64))> {
    each(bus, Vec::new(), |records, record, place| {
        records.push((record, place));
    })
    .await
}

/// Gives each committed record of a topic, with its partition and offset, to `take`.
pub(crate) async fn each<R, T>(
    bus: &Bus,
    mut taken: T,
    mut take: impl FnMut(&mut T, R, (i32, i64)) + Send + 'static,
) -> T
where
    R: Record + Send + 'static,
    T: Send + 'static,
{
    let bus = bus.clone();
    let read = move || {
        let mut config = bus.client_config();
        config
            .set("group.id", "look")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("isolation.level", "read_committed");
        let consumer: BaseConsumer = config.create().unwrap();
        let topic = bus.topic_name(R::TOPIC);
        let mut unread = partitions_of(&consumer, &topic);
        assert!(!unread.is_empty(), "the broker knows no partition of {topic}");
        let mut list = TopicPartitionList::new();
        for partition in &unread {
            list.add_partition_offset(&topic, *partition, Offset::Beginning)
                .unwrap();
        }
        consumer.assign(&list).unwrap();
        while !unread.is_empty() {
            match consumer.poll(SOON).expect("the end of the topic does not come") {
                Ok(message) => {
                    let place = (message.partition(), message.offset());
                    take(&mut taken, decode(message.payload().unwrap()).unwrap(), place);
                }
                Err(KafkaError::PartitionEOF(partition)) => drop(unread.remove(&partition)),
                Err(error) => println!("while reading {topic}: {error}"),
            }
        }
        taken
    };
    tokio::task::spawn_blocking(read).await.unwrap()
}

fn partitions_of(consumer: &BaseConsumer, topic: &str) -> std::collections::BTreeSet<i32> {
    let metadata = consumer.fetch_metadata(Some(topic), SOON).ok();
    let topics = metadata.iter().flat_map(|metadata| metadata.topics());
    topics
        .flat_map(|topic| topic.partitions())
        .map(|partition| partition.id())
        .collect()
}

/// More than any test feeds to a partition.
const UNKNOWN: i64 = 1_000_000_000;

/// Waits until the group has committed everything that was fed; fails when nothing was committed for `patience`.
pub(crate) async fn wait_until_counted(bus: &Bus, patience: Duration) {
    let bus = bus.clone();
    let wait = move || {
        let mut config = bus.client_config();
        config
            .set("group.id", bus.group_name("counter"))
            .set("isolation.level", "read_committed");
        let consumer: BaseConsumer = config.create().unwrap();
        let topic = bus.topic_name(mineseal_schemas::Topic::Detections);
        let (mut began, mut least) = (Instant::now(), i64::MAX);
        loop {
            let partitions = partitions_of(&consumer, &topic);
            // A broker that has just come back may know no partition yet.
            let known = if partitions.is_empty() { UNKNOWN } else { 0 };
            let behind: i64 = partitions
                .into_iter()
                .map(|partition| {
                    // A broker that is away or has just come back says nothing.
                    let Ok((_, end)) = consumer.fetch_watermarks(&topic, partition, SOON) else {
                        return UNKNOWN;
                    };
                    let mut list = TopicPartitionList::new();
                    list.add_partition(&topic, partition);
                    match consumer
                        .committed_offsets(list, SOON)
                        .map(|list| list.elements()[0].offset())
                    {
                        Ok(Offset::Offset(offset)) => end - offset,
                        _ => end,
                    }
                })
                .sum::<i64>()
                + known;
            if behind == 0 {
                return;
            }
            if behind < least {
                (began, least) = (Instant::now(), behind);
            }
            assert!(
                began.elapsed() < patience,
                "{behind} records are still not counted"
            );
            std::thread::park_timeout(Duration::from_millis(200));
        }
    };
    tokio::task::spawn_blocking(wait).await.unwrap();
}

/// Every record counted exactly once, and every state exact.
pub(crate) async fn check_exact(bus: &Bus, fed: i64) {
    let mut expected: BTreeMap<MineCode, Vec<i64>> = BTreeMap::new();
    for number in 0..fed {
        expected.entry(mine(number)).or_default().push(number);
    }
    let mut crossings: BTreeMap<MineCode, Vec<i64>> = BTreeMap::new();
    for crossing in read_all::<Crossing>(bus).await {
        crossings.entry(crossing.mine).or_default().push(crossing.track);
    }
    for (mine, numbers) in &expected {
        let found = crossings.get(mine).cloned().unwrap_or_default();
        let lost = numbers.iter().filter(|number| !found.contains(number)).count();
        assert_eq!(
            found,
            *numbers,
            "mine {mine}: {lost} lost, {} written of {}",
            found.len(),
            numbers.len()
        );
    }
    assert_eq!(crossings.len(), expected.len());

    let mut headcounts: BTreeMap<MineCode, Vec<(i64, i64)>> = BTreeMap::new();
    for headcount in read_all::<Headcount>(bus).await {
        let checksum = headcount.mouths[0].entered;
        headcounts
            .entry(headcount.mine)
            .or_default()
            .push((headcount.people, checksum));
    }
    let mut states: BTreeMap<MineCode, CounterState> = BTreeMap::new();
    for state in read_all::<CounterState>(bus).await {
        states.insert(state.mine.clone(), state);
    }
    for (mine, numbers) in &expected {
        let mut tally = TallyState::default();
        let all: Vec<(i64, i64)> = numbers
            .iter()
            .map(|number| {
                tally.take(*number);
                (tally.seen, tally.checksum)
            })
            .collect();
        assert_eq!(headcounts[mine], all, "headcounts of mine {mine}");
        let state = Tally
            .decode(mine, states[mine].format, &states[mine].state)
            .unwrap();
        assert_eq!(state, tally, "state of mine {mine}");
    }
}
