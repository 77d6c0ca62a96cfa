//! A client that has lost every broker from its list, as the client library can bring it about when a broker comes
//! back, is given the configured ones again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod common;

use std::time::{Duration, Instant};

use common::{SOON, fresh_bus};
use mineseal_bus::{LoggingContext, keep_brokers};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_brokers_gets_them_again() {
    let bus = fresh_bus().await;
    let look = move || {
        let mut config = ClientConfig::new();
        // No `bootstrap.servers`: there is no broker in its list and none will come by itself.
        config
            .set("group.id", "without-brokers")
            .set("statistics.interval.ms", "200");
        let consumer: BaseConsumer<LoggingContext> = config.create_with_context(bus.context()).unwrap();
        let answers = || consumer.fetch_metadata(None, Duration::from_secs(1)).is_ok();
        for _ in 0..10 {
            consumer.poll(Duration::from_millis(100));
        }
        assert!(!answers(), "nobody told it of a broker");

        keep_brokers(consumer.client());
        let began = Instant::now();
        while !answers() {
            assert!(began.elapsed() < SOON, "it still knows no broker");
            consumer.poll(Duration::from_millis(100));
        }
        assert!(bus.statistics().snapshot().clients_without_brokers > 0);
    };
    tokio::task::spawn_blocking(look).await.unwrap();
}
