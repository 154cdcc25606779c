# fish completion for runv, made from the table of runv's commands

set -g __runv_commands @COMMANDS@
set -g __runv_with_value @VALUES@

# The command that is being written, in __runv_path, and how many arguments it has already, in __runv_count.
function __runv_walk
    set -l words (commandline -opc)
    set -g __runv_path (string replace -r '.*/' '' -- $words[1])
    set -g __runv_count 0
    set -g __runv_root
    set -l skip ''
    for word in $words[2..-1]
        if test -n "$skip"
            test $skip = --root; and set __runv_root --root $word
            set skip ''
        else if string match -q -- '-*' $word
            contains -- "$__runv_path $word" $__runv_with_value; and set skip $word
        else if test $__runv_count = 0; and contains -- "$__runv_path $word" $__runv_commands
            set __runv_path "$__runv_path $word"
        else
            set __runv_count (math $__runv_count + 1)
        end
    end
end

function __runv_in
    __runv_walk
    test "$__runv_path" = "$argv"
end

function __runv_at
    __runv_walk
    test $__runv_count = $argv[1]; and test "$__runv_path" = "$argv[2..-1]"
end

function __runv_containers
    __runv_walk
    runv $__runv_root list -q 2>/dev/null
end

@RULES@
