complete -c synwatch -s i -l interface -d 'Watch this interface (repeatable; "any" is all of them)' -r
complete -c synwatch -s r -l read -d 'Read this capture file (repeatable; "-" is standard input)' -r -F
complete -c synwatch -l snap-length -d 'Bytes to capture of each packet' -r
complete -c synwatch -l read-timeout -d 'How long the kernel may hold packets back, to hand over many at once' -r
complete -c synwatch -s p -l ports -d 'Ports to count: numbers, ranges, names, "mail", "any"' -r
complete -c synwatch -s l -l limit -d 'Report N attempts of a source in any W (repeatable)' -r
complete -c synwatch -l network-limit -d 'Report N attempts from one network in any W ("off": none)' -r
complete -c synwatch -l destination-limit -d 'Report N attempts to one address and port in any W ("off": none)' -r
complete -c synwatch -l prefix4 -d 'Count IPv4 sources by networks of this prefix length' -r
complete -c synwatch -l prefix6 -d 'Count IPv6 sources by networks of this prefix length' -r
complete -c synwatch -l quiet-time -d 'End an episode when its source met no limit for this long' -r
complete -c synwatch -l allow -d 'Never report this network or address (repeatable)' -r
complete -c synwatch -l allow-file -d 'Never report the networks in this file (repeatable)' -r
complete -c synwatch -l nat64 -d 'Sources in this IPv6 prefix are IPv4 hosts behind NAT64 or SIIT (repeatable)' -r
complete -c synwatch -l vxlan-ports -d 'UDP ports of VXLAN, for --tunnels' -r
complete -c synwatch -l json -d 'Write reports as JSON Lines, too ("-" is standard output)' -r
complete -c synwatch -l stats-interval -d 'Write the statistics to the JSON file so often' -r
complete -c synwatch -s w -l write -d 'Write the attempts of reported sources to a capture file' -r
complete -c synwatch -l write-max -d 'Let that capture file grow to this size at most' -r
complete -c synwatch -l update -d 'Report an episode again so often while it lasts' -r
complete -c synwatch -l mmdb -d 'Look up whose network a source is in, in this database (repeatable)' -r
complete -c synwatch -l syslog -d 'Write reports to the system\'s log, too' -r
complete -c synwatch -l exec -d 'Run this command on each report' -r
complete -c synwatch -l exec-timeout -d 'End a command that is not done by then' -r
complete -c synwatch -l webhook -d 'Post each report to this address, as JSON' -r
complete -c synwatch -l report-dir -d 'Put evidence of each episode into a folder of its own in this one' -r
complete -c synwatch -l report-from -d 'Name whom an abuse desk is to answer, in that evidence' -r
complete -c synwatch -l block -d 'Block verified sources: by "nft", or "print" what would, or "dry-run"' -r
complete -c synwatch -l block-time -d 'Block a source for this long, twice as long each further time, up to 24h' -r
complete -c synwatch -l block-scope -d 'Drop all that a source sends, or what it sends to the "destinations" of its proven attempts' -r
complete -c synwatch -l max-blocks -d 'Sources that can be blocked at once' -r
complete -c synwatch -l memory -d 'Memory for the tables of sources and connections' -r
complete -c synwatch -l max-episodes -d 'Episodes that can be open at once' -r
complete -c synwatch -l buffer -d 'The kernel\'s buffer for each interface' -r
complete -c synwatch -s c -l config -d 'Read this configuration file (TOML), too' -r -F
complete -c synwatch -l user -d 'Go on as this user, once all is open that needs root' -r
complete -c synwatch -l metrics -d 'Show the counters to Prometheus at this address' -r
complete -c synwatch -l control -d 'Socket that tells clients how the service stands, or "off"' -r
complete -c synwatch -l log-format -d 'Begin lines of the log with their priority: auto, plain, journald' -r
complete -c synwatch -s D -l list-interfaces -d 'List the interfaces that can be watched, and exit'
complete -c synwatch -l promisc -d 'See what is addressed to other hosts, too (promiscuous mode)'
complete -c synwatch -l no-allow-self -d 'Report the addresses of the watched interfaces too'
complete -c synwatch -l tunnels -d 'Look into tunnels: IP in IP, 6in4, 4in6, GRE, ERSPAN, VXLAN, GENEVE'
complete -c synwatch -l utc -d 'Show times in UTC instead of local time'
complete -c synwatch -l suggest -d 'Suggest limits from capture files, instead of reporting'
complete -c synwatch -l fail-on-alert -d 'Exit with 3 when anything was reported'
complete -c synwatch -s n -l no-names -d 'Do not look up names of sources'
complete -c synwatch -l names -d 'Look up names of sources in a replay, too'
complete -c synwatch -l block-unverified -d 'Block sources that are not verified, too'
complete -c synwatch -l block-wire -d 'Block sources that are verified by link-layer addresses alone, too'
complete -c synwatch -l block-networks -d 'Block networks as a whole, not only their hosts with proven attempts'
complete -c synwatch -s T -l test-config -d 'Check the configuration, open nothing, and exit'
complete -c synwatch -s q -l quiet -d 'Leave out warnings and the summary'
complete -c synwatch -s v -l verbose -d 'Say more: -v what happens, -vv details, -vvv everything'
complete -c synwatch -s h -l help -d 'Print help: -h the short one, --help all of it'
complete -c synwatch -s V -l version -d 'Print the version'
