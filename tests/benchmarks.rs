//! What benchmarks of criterion allocate, by its own figures.

#![forbid(unsafe_code)]

use criterion::{BatchSize, Criterion, Throughput};
use highwater::Allocated;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

/// One that is done soon, and writes what it found into `directory`.
fn quick(directory: &Path, measured: Allocated) -> Criterion<Allocated> {
    Criterion::default()
        .with_measurement(measured)
        .output_directory(directory)
        .without_plots()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(1))
        .measurement_time(Duration::from_millis(10))
}

/// The mean and the standard deviation that it wrote of a benchmark.
fn written(directory: &Path, benchmark: &str) -> [f64; 2] {
    let path = directory.join(benchmark).join("new/estimates.json");
    let text = std::fs::read_to_string(&path).expect("estimates");
    let of = |name: &str| {
        let (_, rest) = text.split_once(&format!("\"{name}\":{{"))?;
        let (_, rest) = rest.split_once("\"point_estimate\":")?;
        let end = rest.find([',', '}'])?;
        rest[..end].parse().ok()
    };
    ["mean", "std_dev"].map(|name| of(name).expect("an estimate"))
}

#[test]
fn criterion_tells_what_an_iteration_allocates() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("criterion");
    let _ = std::fs::remove_dir_all(&directory);
    // The second time, it compares with the first.
    for _ in 0..2 {
        for measured in [Allocated::Bytes, Allocated::Blocks] {
            let mut criterion = quick(&directory, measured);
            let mut group = criterion.benchmark_group(format!("{measured:?}"));
            group.throughput(Throughput::Elements(5));
            group.bench_function("two", |bencher| {
                bencher.iter(|| (black_box(vec![0_u8; 100]), black_box(Box::new(7_u64))));
            });
            group.bench_function("none", |bencher| bencher.iter(|| black_box(1) + 1));
            group.bench_function("batched", |bencher| {
                let input = || vec![0_u8; 1_000];
                bencher.iter_batched(input, |input| input.clone(), BatchSize::SmallInput);
            });
            group.finish();
        }
    }
    for (benchmark, expected) in [
        ("Bytes/two", 108.0),
        ("Blocks/two", 2.0),
        ("Bytes/batched", 1_000.0),
        ("Blocks/batched", 1.0),
    ] {
        let [mean, deviation] = written(&directory, benchmark);
        assert!((mean - expected).abs() < 1e-6, "{benchmark}: {mean}");
        assert!(deviation < 1e-6, "{benchmark}: {deviation}");
    }
    let [mean, _] = written(&directory, "Bytes/none");
    assert!(mean < 1e-5, "{mean}");
}
