#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| subtend::fuzzing::tftp_request(bytes));
