//! Builds OpenSSL as a static library: into the folder `install` of the one that the argument names.

fn main() {
    let Some(folder) = std::env::args().nth(1) else {
        eprintln!("openssl-static: name the folder to build in");
        std::process::exit(2);
    };
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    openssl_src::Build::new().out_dir(folder).host(&target).target(&target).build();
}
