# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_synwatch_global_optspecs
    string join \n i/interface= r/read= D/list-interfaces promisc snap-length= read-timeout= p/ports= l/limit= network-limit= destination-limit= prefix4= prefix6= quiet-time= allow= allow-file= no-allow-self nat64= tunnels vxlan-ports= json= stats-interval= html= w/write= write-max= update= utc suggest fail-on-alert n/no-names names mmdb= syslog= syslog-notify= exec= exec-timeout= exec-notify= webhook= webhook-notify= report-dir= report-from= block= block-time= block-unverified block-wire block-networks block-scope= max-blocks= fleet= fleet-name= gateway= fleet-blocks fleet-password-file= fleet-ca= fleet-cert= fleet-key= memory= max-episodes= buffer= c/config= T/test-config deep user= metrics= control= state-dir= log-format= q/quiet v/verbose h/help V/version
end

function __fish_synwatch_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_synwatch_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_synwatch_using_subcommand
    set -l cmd (__fish_synwatch_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c synwatch -n "__fish_synwatch_needs_command" -s i -l interface -d 'Watch this interface (repeatable; "any" is all of them)' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -s r -l read -d 'Read this capture file (repeatable; "-": standard input)' -r -F
complete -c synwatch -n "__fish_synwatch_needs_command" -l snap-length -d 'Bytes to capture of each packet' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l read-timeout -d 'How long the kernel may hold packets back, to hand over many at once' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -s p -l ports -d 'Ports to count: 25,80-89,ssh,any' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -s l -l limit -d 'Report N attempts of a source in any W (repeatable)' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l network-limit -d 'Report N attempts from one network in any W ("off": none)' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l destination-limit -d 'Report N attempts to one address and port in any W ("off": none)' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l prefix4 -d 'Count IPv4 sources by networks of this prefix length' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l prefix6 -d 'Count IPv6 sources by networks of this prefix length' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l quiet-time -d 'End an episode when its source met no limit for this long' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l allow -d 'Never report this network or address (repeatable)' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l allow-file -d 'Never report the networks in this file (repeatable)' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l nat64 -d 'Sources in this IPv6 prefix are IPv4 hosts behind NAT64 or SIIT (repeatable)' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l vxlan-ports -d 'UDP ports of VXLAN, for --tunnels' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l json -d 'Write reports as JSON Lines, too ("-" is standard output)' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l stats-interval -d 'Write the statistics to the JSON file so often' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l html -d 'Write a page of the run, with pictures, at its end ("-" is standard output)' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -s w -l write -d 'Write the attempts of reported sources to a capture file' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l write-max -d 'Let that capture file grow to this size at most' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l update -d 'Report an episode again so often while it lasts' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l mmdb -d 'Look up whose network a source is in, in this database (repeatable)' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l syslog -d 'Write reports to the system\'s log, too' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l syslog-notify -d 'Write only these reports to the system\'s log' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l exec -d 'Run this command on each report' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l exec-timeout -d 'End a command that is not done by then' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l exec-notify -d 'Run the command only on these reports' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l webhook -d 'Post each report to this address, as JSON' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l webhook-notify -d 'Post only these reports' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l report-dir -d 'Put evidence of each episode into a folder of its own in this one' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l report-from -d 'Name whom an abuse desk is to answer, in that evidence' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l block -d 'Block verified sources: "nft", "print" or "dry-run"' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l block-time -d 'Block a source for this long, twice as long each further time, up to 24h' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l block-scope -d 'Drop all that a source sends, or what it sends to the "destinations" of its proven attempts' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l max-blocks -d 'Sources that can be blocked at once' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l fleet -d 'Count as one with the other gateways at this Redis or Valkey server (repeatable)' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l fleet-name -d 'Name of the fleet: its gateways give the same one' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l gateway -d 'Name of this gateway in the fleet, which no other gateway has' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l fleet-password-file -d 'File with the password for the fleet\'s servers' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l fleet-ca -d 'File with the certificates that prove the fleet\'s servers (PEM)' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l fleet-cert -d 'File with the certificate that proves this gateway to the servers (PEM)' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l fleet-key -d 'File with the key of that certificate (PEM)' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l memory -d 'Memory for the tables of sources and connections' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l max-episodes -d 'Episodes that can be open at once' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l buffer -d 'The kernel\'s buffer for each interface' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -s c -l config -d 'Read this configuration file (TOML), too' -r -F
complete -c synwatch -n "__fish_synwatch_needs_command" -l user -d 'Go on as this user, once all is open that needs root' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l metrics -d 'Show the counters to Prometheus at this address' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l control -d 'Socket where clients ask how the service stands, and change what it blocks, or "off"' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l state-dir -d 'Folder that keeps what synwatch allow --for has allowed over a restart, or "off"' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -l log-format -d 'Begin lines of the log with their priority: auto, plain, journald' -r
complete -c synwatch -n "__fish_synwatch_needs_command" -s D -l list-interfaces -d 'List the interfaces that can be watched, and exit'
complete -c synwatch -n "__fish_synwatch_needs_command" -l promisc -d 'See what is addressed to other hosts, too (promiscuous mode)'
complete -c synwatch -n "__fish_synwatch_needs_command" -l no-allow-self -d 'Report the addresses of the watched interfaces too'
complete -c synwatch -n "__fish_synwatch_needs_command" -l tunnels -d 'Look into tunnels: IP in IP, 6in4, 4in6, GRE, ERSPAN, VXLAN, GENEVE'
complete -c synwatch -n "__fish_synwatch_needs_command" -l utc -d 'Show times in UTC instead of local time'
complete -c synwatch -n "__fish_synwatch_needs_command" -l suggest -d 'Suggest limits from capture files, instead of reporting'
complete -c synwatch -n "__fish_synwatch_needs_command" -l fail-on-alert -d 'Exit with 3 when anything was reported'
complete -c synwatch -n "__fish_synwatch_needs_command" -s n -l no-names -d 'Do not look up names of sources'
complete -c synwatch -n "__fish_synwatch_needs_command" -l names -d 'Look up names of sources in a replay, too'
complete -c synwatch -n "__fish_synwatch_needs_command" -l block-unverified -d 'Block sources that are not verified, too'
complete -c synwatch -n "__fish_synwatch_needs_command" -l block-wire -d 'Block sources that are verified by link-layer addresses alone, too'
complete -c synwatch -n "__fish_synwatch_needs_command" -l block-networks -d 'Block networks as a whole, not only their hosts with proven attempts'
complete -c synwatch -n "__fish_synwatch_needs_command" -l fleet-blocks -d 'Block what another gateway of the fleet blocks, too'
complete -c synwatch -n "__fish_synwatch_needs_command" -s T -l test-config -d 'Check the configuration, open nothing, and exit'
complete -c synwatch -n "__fish_synwatch_needs_command" -l deep -d 'With -T: try what a start needs, too, without starting'
complete -c synwatch -n "__fish_synwatch_needs_command" -s q -l quiet -d 'Leave out warnings and the summary'
complete -c synwatch -n "__fish_synwatch_needs_command" -s v -l verbose -d 'Say more: -v what happens, -vv details, -vvv everything'
complete -c synwatch -n "__fish_synwatch_needs_command" -s h -l help -d 'Print help: -h the short one, --help all of it'
complete -c synwatch -n "__fish_synwatch_needs_command" -s V -l version -d 'Print the version'
complete -c synwatch -n "__fish_synwatch_needs_command" -a "status" -d 'Shows how the running service stands, with its counters'
complete -c synwatch -n "__fish_synwatch_needs_command" -a "episodes" -d 'Lists the open episodes of the running service'
complete -c synwatch -n "__fish_synwatch_needs_command" -a "blocked" -d 'Lists what is blocked, since when, for how long yet and why'
complete -c synwatch -n "__fish_synwatch_needs_command" -a "block" -d 'Blocks an address or a network for a time'
complete -c synwatch -n "__fish_synwatch_needs_command" -a "unblock" -d 'Unblocks an address or a network, with what is blocked in or around it'
complete -c synwatch -n "__fish_synwatch_needs_command" -a "allow" -d 'Allows a network or an address: it is not reported, and unblocked'
complete -c synwatch -n "__fish_synwatch_needs_command" -a "allowed" -d 'Lists what was allowed by synwatch allow'
complete -c synwatch -n "__fish_synwatch_needs_command" -a "unallow" -d 'Takes back what was allowed by synwatch allow'
complete -c synwatch -n "__fish_synwatch_needs_command" -a "fleet" -d 'Lists the gateways of the fleet: when each was last seen, its clock, what it shares and blocks'
complete -c synwatch -n "__fish_synwatch_needs_command" -a "top" -d 'Shows the sources closest to a limit and the open episodes, live'
complete -c synwatch -n "__fish_synwatch_needs_command" -a "report" -d 'Makes a page or a digest of JSON logs'
complete -c synwatch -n "__fish_synwatch_using_subcommand status" -l socket -d 'The socket of the service, if it is not /run/synwatch/control' -r -F
complete -c synwatch -n "__fish_synwatch_using_subcommand status" -l json -d 'Print JSON: one object, or each record as one of its own'
complete -c synwatch -n "__fish_synwatch_using_subcommand episodes" -l socket -d 'The socket of the service, if it is not /run/synwatch/control' -r -F
complete -c synwatch -n "__fish_synwatch_using_subcommand episodes" -l json -d 'Print JSON: one object, or each record as one of its own'
complete -c synwatch -n "__fish_synwatch_using_subcommand episodes" -l watch -d 'List them again each second'
complete -c synwatch -n "__fish_synwatch_using_subcommand blocked" -s c -l config -d 'With --fleet: ask the servers of this configuration directly, not by the running service' -r -F
complete -c synwatch -n "__fish_synwatch_using_subcommand blocked" -l socket -d 'The socket of the service, if it is not /run/synwatch/control' -r -F
complete -c synwatch -n "__fish_synwatch_using_subcommand blocked" -l fleet -d 'In the whole fleet: by the running service, or directly at its servers'
complete -c synwatch -n "__fish_synwatch_using_subcommand blocked" -l json -d 'Print JSON: one object, or each record as one of its own'
complete -c synwatch -n "__fish_synwatch_using_subcommand block" -s c -l config -d 'With --fleet: ask the servers of this configuration directly, not by the running service' -r -F
complete -c synwatch -n "__fish_synwatch_using_subcommand block" -l socket -d 'The socket of the service, if it is not /run/synwatch/control' -r -F
complete -c synwatch -n "__fish_synwatch_using_subcommand block" -l fleet -d 'In the whole fleet: by the running service, or directly at its servers'
complete -c synwatch -n "__fish_synwatch_using_subcommand block" -l json -d 'Print JSON: one object, or each record as one of its own'
complete -c synwatch -n "__fish_synwatch_using_subcommand unblock" -s c -l config -d 'With --fleet: ask the servers of this configuration directly, not by the running service' -r -F
complete -c synwatch -n "__fish_synwatch_using_subcommand unblock" -l socket -d 'The socket of the service, if it is not /run/synwatch/control' -r -F
complete -c synwatch -n "__fish_synwatch_using_subcommand unblock" -l all -d 'Unblock everything'
complete -c synwatch -n "__fish_synwatch_using_subcommand unblock" -l fleet -d 'In the whole fleet: by the running service, or directly at its servers'
complete -c synwatch -n "__fish_synwatch_using_subcommand unblock" -l json -d 'Print JSON: one object, or each record as one of its own'
complete -c synwatch -n "__fish_synwatch_using_subcommand allow" -l for -d 'For how long, from 1s to 90d' -r
complete -c synwatch -n "__fish_synwatch_using_subcommand allow" -l why -d 'A word for those who look later' -r
complete -c synwatch -n "__fish_synwatch_using_subcommand allow" -s c -l config -d 'With --fleet: ask the servers of this configuration directly, not by the running service' -r -F
complete -c synwatch -n "__fish_synwatch_using_subcommand allow" -l socket -d 'The socket of the service, if it is not /run/synwatch/control' -r -F
complete -c synwatch -n "__fish_synwatch_using_subcommand allow" -l fleet -d 'In the whole fleet: by the running service, or directly at its servers'
complete -c synwatch -n "__fish_synwatch_using_subcommand allow" -l json -d 'Print JSON: one object, or each record as one of its own'
complete -c synwatch -n "__fish_synwatch_using_subcommand allowed" -s c -l config -d 'With --fleet: ask the servers of this configuration directly, not by the running service' -r -F
complete -c synwatch -n "__fish_synwatch_using_subcommand allowed" -l socket -d 'The socket of the service, if it is not /run/synwatch/control' -r -F
complete -c synwatch -n "__fish_synwatch_using_subcommand allowed" -l fleet -d 'In the whole fleet: by the running service, or directly at its servers'
complete -c synwatch -n "__fish_synwatch_using_subcommand allowed" -l json -d 'Print JSON: one object, or each record as one of its own'
complete -c synwatch -n "__fish_synwatch_using_subcommand unallow" -s c -l config -d 'With --fleet: ask the servers of this configuration directly, not by the running service' -r -F
complete -c synwatch -n "__fish_synwatch_using_subcommand unallow" -l socket -d 'The socket of the service, if it is not /run/synwatch/control' -r -F
complete -c synwatch -n "__fish_synwatch_using_subcommand unallow" -l fleet -d 'In the whole fleet: by the running service, or directly at its servers'
complete -c synwatch -n "__fish_synwatch_using_subcommand unallow" -l json -d 'Print JSON: one object, or each record as one of its own'
complete -c synwatch -n "__fish_synwatch_using_subcommand fleet" -s c -l config -d 'Ask the servers of this configuration directly, not by the running service' -r -F
complete -c synwatch -n "__fish_synwatch_using_subcommand fleet" -l socket -d 'The socket of the service, if it is not /run/synwatch/control' -r -F
complete -c synwatch -n "__fish_synwatch_using_subcommand fleet" -l json -d 'Print JSON: one object, or each record as one of its own'
complete -c synwatch -n "__fish_synwatch_using_subcommand top" -l socket -d 'The socket of the service' -r -F
complete -c synwatch -n "__fish_synwatch_using_subcommand top" -s i -l interface -d 'Capture on this interface, instead (repeatable; needs root)' -r
complete -c synwatch -n "__fish_synwatch_using_subcommand top" -s r -l read -d 'Replay this capture file, instead (repeatable)' -r -F
complete -c synwatch -n "__fish_synwatch_using_subcommand top" -l speed -d 'How many times as fast as its packets came a replay goes on, or "max"' -r
complete -c synwatch -n "__fish_synwatch_using_subcommand top" -s p -l ports -d 'With --interface or --read: the ports to watch, as for synwatch itself' -r
complete -c synwatch -n "__fish_synwatch_using_subcommand top" -s l -l limit -d 'With --interface or --read: a limit, as for synwatch itself (repeatable)' -r
complete -c synwatch -n "__fish_synwatch_using_subcommand top" -l once -d 'Print one picture and exit, of a replay the state at its last packet'
complete -c synwatch -n "__fish_synwatch_using_subcommand top" -l json -d 'With --once: print it as one line of JSON'
complete -c synwatch -n "__fish_synwatch_using_subcommand report" -s o -l output -d 'Write to this file; "-" is standard output' -r -F
complete -c synwatch -n "__fish_synwatch_using_subcommand report" -l format -d 'What to make' -r -f -a "html\t'A page'
text\t'A digest'"
complete -c synwatch -n "__fish_synwatch_using_subcommand report" -l since -d 'Leave out what was before this' -r
complete -c synwatch -n "__fish_synwatch_using_subcommand report" -l until -d 'Leave out what was at this time or later' -r
complete -c synwatch -n "__fish_synwatch_using_subcommand report" -l day -d 'Tell of this whole day: "yesterday", "today", 2026-11-27' -r
complete -c synwatch -n "__fish_synwatch_using_subcommand report" -l evidence -d 'Link to the folders that --report-dir has filled' -r -F
complete -c synwatch -n "__fish_synwatch_using_subcommand report" -l utc -d 'Show times in UTC instead of local time'
