//! The memory allocator of all services.

/// Records are many small pieces that one thread makes and another drops, which is what glibc's
/// allocator is slowest at: with it a consumer that catches up took 1.5 times the processor time
/// (docs/BENCHMARKS.md).
///
/// Without huge pages (`no_thp`): an idle stream touches half of its buffers, and takes 10 KB instead of
/// 17; nothing measured takes longer.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
