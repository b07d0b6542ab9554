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

# The web inbox in Chromium (needs chromium, chromedriver and npm). Pictures: target/screenshots.
test-browser:
    cargo test -p e2e --features browser --test browser

# The tests of /client.js alone (needs Node 20).
test-web:
    cd crates/consumer/web && npm test && npx --yes -p typescript@5 tsc -p .

# Schemathesis over the OpenAPI documents of both services (needs Python 3.10).
test-openapi:
    cargo build -p cli
    crates/e2e/openapi/check target/debug/kafka-notify target/schemathesis

# Load on running services, see docs/BENCHMARKS.md: `just bench publish --reference`.
bench *FLAGS:
    cargo run --release -p loadgen -- {{FLAGS}}

# How fast a consumer without a store catches up with 2,000,000 records of a broker for trying things
# out, and fjall alone writing as many rows.
bench-catch-up BROKER="127.0.0.1:9092":
    cargo build --release -p e2e --example catch_up
    cargo build --release -p inbox --example bare_fjall
    cargo build --release -p cli
    target/release/examples/catch_up target/release/kafka-notify {{BROKER}}
    target/release/examples/bare_fjall

# What a long inbox and a large directory cost, beside a short inbox.
bench-growth *ARGUMENTS:
    cargo build --release -p cli
    cargo build --release -p e2e --example growth
    target/release/examples/growth target/release/kafka-notify {{ARGUMENTS}}

# What one connection publishes in a batch, beside Kafka's ProducerPerformance: the broker, and the
# folder with Kafka's jars.
bench-batch BROKER JARS:
    cargo build --release -p cli
    cargo build --release -p e2e --example batch
    target/release/examples/batch target/release/kafka-notify {{BROKER}} {{JARS}}

# What live push takes, beside Kafka and actix-web alone: a broker for trying things out, and parts:
# latency, fan-out, slow, connects, memory, stop.
bench-live BROKER *PARTS:
    cargo build --release -p cli
    cargo build --release -p consumer --example bare_hub
    cargo build --release -p e2e --example live
    target/release/examples/live target/release/kafka-notify target/release/examples/bare_hub {{BROKER}} {{PARTS}}

# Format, lints, docs, licences.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --all-features -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
    cargo deny check bans licenses sources
