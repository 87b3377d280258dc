//! Hands over to napi-build; links the addon so that it is never unloaded.

fn main() {
    napi_build::setup();
    // A worker that ends closes its handle on the addon while the engine's thread still runs code of it.
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux" || os == "freebsd") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
