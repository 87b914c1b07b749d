# The bill of materials of a release file, as CycloneDX 1.5, of what `cargo metadata` says of one platform: what is compiled
# into the program, what helps to compile it, and libpcap. $checksums: those of Cargo.lock, by "name@version"; $time: that
# of the commit; $pcap and $architecture: Debian's package of libpcap. It has no number yet.

# A part's name in the file; none of this project's crates comes from another place than crates.io.
def purl: "pkg:cargo/\(.name)@\(.version | @uri)";

# What old manifests write with a slash.
def licences: [{expression: (.license // "LicenseRef-file" | gsub(" */ *"; " OR "))}];

def reference($type): select(. != null) | {$type, url: .};

def component:
    {
        type: "library", "bom-ref": purl, author: (.authors | join(", ")), name, version, description,
        scope: "required", hashes: [{alg: "SHA-256", content: $checksums["\(.name)@\(.version)"]}],
        licenses: licences, purl: purl,
        externalReferences: [
            (.documentation | reference("documentation")), (.homepage | reference("website")),
            (.repository | reference("vcs"))
        ]
    }
    | if .author == "" then del(.author) else . end;

# A crate's own crates, but for those of its tests.
(.resolve.nodes | map({key: .id, value: [.deps[] | select(any(.dep_kinds[]; .kind != "dev")) | .pkg]}) | from_entries)
    as $needs
| def grow: . as $known | ($known + [$known[] | $needs[.][]] | unique) | if . == $known then . else grow end;
(.packages | map({key: .id, value: .}) | from_entries) as $packages
| .resolve.root as $root
| ([$root] | grow) as $used
| {
    bomFormat: "CycloneDX", specVersion: "1.5", version: 1,
    metadata: {
        timestamp: $time,
        component: ($packages[$root] | {type: "application", "bom-ref": purl, name, version, description,
            licenses: licences, purl: purl}),
        properties: [{name: "cdx:rustc:sbom:target:triple", value: $triple}]
    },
    components: ([$used[] | select(. != $root) | $packages[.] | component] | sort_by(."bom-ref") + [{
        type: "library", "bom-ref": "libpcap", name: "libpcap", version: $pcap,
        licenses: [{license: {id: "BSD-3-Clause"}}], purl: "pkg:deb/debian/libpcap0.8-dev@\($pcap)?arch=\($architecture)"
    }]),
    dependencies: ([$used[] | {ref: ($packages[.] | purl), dependsOn: ([$needs[.][] | $packages[.] | purl] | unique)}]
        | map(if .ref | startswith("pkg:cargo/pcap@") then .dependsOn += ["libpcap"] else . end) | sort_by(.ref)
        + [{ref: "libpcap"}])
}
