# A router of two images behind a real server: its state stands in a folder, which is the first argument. The second
# says what this is: `install` and `boot` of the device itself, `login` for a session that asks who comes, and `shell`
# for one whose server did.
dir=$1
name=R1
mode='>'
length=8
umask 0

note() {
    printf '%s\n' "$1" >>"$dir/log"
}

boot() {
    note boot
    for file in $(sed -n 's/^boot system flash:.//p' "$dir/saved"); do
        version=$(sed -n 's/^version //p' "$dir/flash/$file" 2>/dev/null)
        if [ -n "$version" ]; then
            printf '%s\n' "$version" >"$dir/version"
            printf 'flash:/%s\n' "$file" >"$dir/file"
            break
        fi
    done
    cp "$dir/saved" "$dir/running"
}

install() {
    mkdir -p "$dir/flash"
    echo 'version 1' >"$dir/flash/image-1.bin"
    echo 'boot system flash:/image-1.bin' >"$dir/saved"
    boot
    : >"$dir/log"
}

case $2 in
install | boot)
    "$2"
    exit
    ;;
esac

# What is shown page by page has its keys from here.
exec 3<&0

secret() {
    [ -e "$dir/echoes" ] || stty -echo
    printf 'Password: '
    read -r typed || exit
    stty echo
    [ -e "$dir/echoes" ] || echo
}

key() {
    stty -icanon -echo min 1 <&3
    printf ' --More-- '
    pressed=$(dd bs=1 count=1 <&3 2>/dev/null)
    stty icanon echo <&3
    printf '\b\b\b\b\b\b\b\b\b\b          \b\b\b\b\b\b\b\b\b\b'
    note more
}

page() {
    shown=0
    while IFS= read -r line; do
        if [ "$length" -gt 0 ] && [ "$shown" -eq "$length" ]; then
            key
            [ "$pressed" = ' ' ] || return
            shown=0
        fi
        printf '%s\n' "$line"
        shown=$((shown + 1))
    done
}

show_version() {
    echo "Cisco IOS Software, C2960X Software (C2960X-UNIVERSALK9-M), Version $(cat "$dir/version"), RELEASE SOFTWARE"
    for line in 1 2 3 4 5 6 7 8 9 10; do echo "Notice of the maker, line $line"; done
    echo
    echo "ROM: Bootstrap program is C2960X boot loader"
    echo "$name uptime is 3 weeks, 2 days"
    echo "System image file is \"$(cat "$dir/file")\""
    for line in 1 2 3 4 5 6; do echo "$line Gigabit Ethernet interfaces"; done
    echo "Configuration register is 0xF"
}

verify() {
    if [ -e "$dir/flash/${1#flash:/}" ]; then
        printf '........................Done!\nverify /md5 (%s) = ' "$1"
        md5sum <"$dir/flash/${1#flash:/}" | cut -c 1-32
    else
        echo "%Error opening $1 (File not found)"
    fi
}

save() {
    echo 'Building configuration...'
    cp "$dir/running" "$dir/saved"
    # It ends its line with its prompt, and has more to do before.
    printf '[OK]'
    sleep 0.3
    echo
}

reload() {
    if ! cmp -s "$dir/running" "$dir/saved"; then
        printf 'System configuration has been modified. Save? [yes/no]: '
        read -r answer || exit
        [ "$answer" = yes ] && save
    fi
    printf 'Proceed with reload? [confirm]'
    read -r answer || exit
    case $answer in
    '' | y*)
        printf '\n%%SYS-5-RELOAD: Reload requested by craft.\n'
        : >"$dir/reload"
        # Until its server is killed with it.
        sleep 600
        ;;
    esac
}

is_done() {
    case $mode$1 in
    *'terminal length '*) length=${1##* } ;;
    *'terminal width '*) ;;
    *'show version') show_version | page ;;
    '>show privilege') echo 'Current privilege level is 1' ;;
    '#show privilege') echo 'Current privilege level is 15' ;;
    '>enable')
        secret
        if [ "$typed" = "$(cat "$dir/enable")" ]; then mode='#'; else echo '% Access denied'; fi
        ;;
    '#enable') ;;
    '#verify /md5 '*) verify "${1##* }" ;;
    '#configure terminal')
        echo 'Enter configuration commands, one per line.  End with CNTL/Z.'
        mode='(config)#'
        ;;
    '(config)#no boot system') sed '/^boot system/d' "$dir/running" >"$dir/new" && mv "$dir/new" "$dir/running" ;;
    '(config)#boot system '*) printf '%s\n' "$1" >>"$dir/running" ;;
    '(config)#end') mode='#' ;;
    '#write memory') save ;;
    '#show startup-config | include ^boot system') grep '^boot system' "$dir/saved" | page ;;
    '#reload') reload ;;
    *) return 1 ;;
    esac
}

if [ "$2" = login ]; then
    printf '\nUser Access Verification\n\nUsername: '
    read -r user || exit
    secret
    if [ "$user" != craft ] || [ "$typed" != "$(cat "$dir/password")" ]; then
        echo '% Login invalid'
        # What stands in a pseudo-terminal when its last program ends is lost with some telnetd.
        sleep 1
        exit
    fi
fi
while printf '%s%s' "$name" "$mode" && read -r line; do
    [ -n "$line" ] || continue
    note "$line"
    is_done "$line" || echo "% Invalid input detected at '^' marker."
done
