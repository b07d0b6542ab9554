# Everything in one process: broker, producer, consumer.
run *FLAGS:
    cargo run -- up {{FLAGS}}

# The embedded broker alone, on localhost:9092.
run-broker *FLAGS:
    cargo run -- broker {{FLAGS}}

# The producer alone, on localhost:8080, against NOTIFY_BROKERS (default localhost:9092).
run-producer *FLAGS:
    cargo run -- producer {{FLAGS}}

# The consumer alone, on localhost:8081, against NOTIFY_BROKERS (default localhost:9092).
run-consumer *FLAGS:
    cargo run -- consumer {{FLAGS}}

# All tests that need only Rust.
test:
    cargo test --workspace

# The tests against Apache Kafka 4.3.1 (needs Java 17, Maven, kcat and Go 1.19).
test-kafka:
    cargo test -p e2e --features apache-kafka

# Load on running services, see docs/BENCHMARKS.md: `just bench publish --reference`.
bench *FLAGS:
    cargo run --release -p loadgen -- {{FLAGS}}

# Format, lints, docs, licences.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --all-features -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
    cargo deny check bans licenses sources
