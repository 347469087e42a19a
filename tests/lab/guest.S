/*
 * The laboratory's guest: a multiboot kernel without disk and system. Twenty times a second it counts on COM1, writes
 * to some of its pages, and keeps its count in the memory of an ivshmem device, if it has one: the vgpu's stand-in.
 *
 *     BOOT
 *     tick 00000001 dev 00c0ffee
 *
 * A second BOOT is a restart, a count that goes on is a migration; `dev` is the device's first word, which the host
 * wrote. Between ticks the processor halts.
 */
    .set HEADER_MAGIC, 0x1badb002
    .set TICK_DIVISOR, 59659            /* 1193182 Hz / 20 */
    .set DIRTY_PAGES, 128               /* of 4 KiB in each tick: 10 MiB a second */
    .set DIRTY_FROM, 0x400000
    .set DIRTY_TO, 0x1800000
    .set COM1, 0x3f8
    .set IVSHMEM, 0x11101af4            /* device and vendor */

    .text
    .balign 4
    .long HEADER_MAGIC, 0, -HEADER_MAGIC

    .global _start
_start:
    cli
    mov $stack, %esp
    lgdt gdt_pointer
    ljmp $8, $1f
1:  mov $16, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss

    /* Vector 0x20 is the timer. */
    mov $timer, %eax
    mov %ax, idt + 0x20 * 8
    movw $8, idt + 0x20 * 8 + 2
    movw $0x8e00, idt + 0x20 * 8 + 4
    shr $16, %eax
    mov %ax, idt + 0x20 * 8 + 6
    lidt idt_pointer

    /* Both interrupt controllers, by the words of `controllers`: port, value. */
    mov $controllers, %esi
2:  movzbl (%esi), %edx
    mov 1(%esi), %al
    out %al, %dx
    add $2, %esi
    cmp $controllers_end, %esi
    jb 2b
    mov $TICK_DIVISOR & 255, %al
    out %al, $0x40
    mov $TICK_DIVISOR >> 8, %al
    out %al, $0x40

    call find_device                    /* %ebp: the device's memory, or 0 */
    mov $said_boot, %esi
    call say
    xor %edi, %edi                      /* the count */
    mov $DIRTY_FROM, %ebx

tick:
    sti
    hlt
    cli
    inc %edi
    mov $said_tick, %esi
    call say
    mov %edi, %eax
    call say_hex
    test %ebp, %ebp
    jz 4f
    mov %edi, 16(%ebp)
    mov $said_device, %esi
    call say
    mov (%ebp), %eax
    call say_hex
4:  mov $said_end, %esi
    call say
    mov $DIRTY_PAGES, %ecx
5:  mov %edi, (%ebx)
    add $4096, %ebx
    cmp $DIRTY_TO, %ebx
    jb 6f
    mov $DIRTY_FROM, %ebx
6:  loop 5b
    jmp tick

timer:
    push %eax
    mov $0x20, %al
    out %al, $0x20
    pop %eax
    iret

/* Looks at function 0 of each device on bus 0. */
find_device:
    mov $0x80000000, %ecx
1:  xor %eax, %eax
    call read_config
    cmp $IVSHMEM, %eax
    je 2f
    add $0x800, %ecx
    cmp $0x80010000, %ecx
    jb 1b
    xor %ebp, %ebp
    ret
2:  mov $0x18, %eax                     /* its memory: 64 bits, below 4 GiB in a machine this small */
    call read_config
    and $~15, %eax
    mov %eax, %ebp
    mov $4, %eax
    call read_config
    or $2, %eax                         /* answer to memory accesses; %dx still is the data port */
    out %eax, %dx
    ret

/* Register %al of device %ecx, to %eax. */
read_config:
    or %ecx, %eax
    mov $0xcf8, %dx
    out %eax, %dx
    mov $0xcfc, %dx
    in %dx, %eax
    ret

/* The text at %esi, to its NUL. */
say:
    mov (%esi), %al
    test %al, %al
    jz 1f
    call say_one
    inc %esi
    jmp say
1:  ret

/* %eax in eight digits. */
say_hex:
    mov $8, %ecx
1:  rol $4, %eax
    push %eax
    and $15, %eax
    mov digits(%eax), %al
    call say_one
    pop %eax
    loop 1b
    ret

/* %al, when the line is free. */
say_one:
    mov %al, %ah
    mov $COM1 + 5, %dx
1:  in %dx, %al
    test $0x20, %al
    jz 1b
    mov %ah, %al
    mov $COM1, %dx
    out %al, %dx
    ret

    .data
said_boot:   .asciz "BOOT\n"
said_tick:   .asciz "tick "
said_device: .asciz " dev "
said_end:    .asciz "\n"
digits:      .ascii "0123456789abcdef"
controllers:
    .byte 0x20, 0x11, 0xa0, 0x11        /* begin, four words follow */
    .byte 0x21, 0x20, 0xa1, 0x28        /* vectors from 0x20 and 0x28 */
    .byte 0x21, 0x04, 0xa1, 0x02        /* the second hangs on line 2 */
    .byte 0x21, 0x01, 0xa1, 0x01
    .byte 0x21, 0xfe, 0xa1, 0xff        /* all masked but the timer */
    .byte 0x43, 0x34                    /* the timer: channel 0, both bytes, periodic */
controllers_end:
    .balign 8
gdt:
    .quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff
gdt_pointer:
    .word gdt_pointer - gdt - 1
    .long gdt
idt_pointer:
    .word 0x21 * 8 - 1
    .long idt

    .bss
    .balign 16
idt:
    .skip 0x21 * 8
    .balign 16
    .skip 4096
stack:
