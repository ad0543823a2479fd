//! A cell that cuts its own power at a numbered point: for the tests of power cuts alone.

fn main() {
    e2e::run_henb();
}
