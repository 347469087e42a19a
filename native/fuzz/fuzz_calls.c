/* A client's sequence of calls against a good host, decoded from bytes: the first names the host, then each call
   is its number and whatever its arguments take. Now and then the host publishes, leaves, is deaf or answers nonsense. */
#include "client.h"
#include "host.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    host_start();
    return 0;
}

static void attach(unsigned image)
{
    static unsigned attached = UINT32_MAX;
    size_t size;
    client_end();
    if (attached == image) {
        host_beat();
        client_init();
        return;
    }
    host_leave();
    client_notice();
    host_choose(image, &size);
    attached = client_init() == 0 ? image : UINT32_MAX;
    if (attached == image)
        client_learn();
}

static void happen(struct input *input)
{
    unsigned what = (unsigned)take(input, 1);
    switch (what % 8) {
    case 0: host_publish(); break;
    case 1: host_churn(1); break;
    case 2: host_churn(0); break;
    case 3: host_behave((unsigned)take(input, 1)); break;
    case 4: client_end(); break;
    case 5: client_init(); break;
    case 6: /* another host is there when the library looks again, and answers as it likes */
        host_leave();
        client_notice();
        host_return();
        host_behave((unsigned)take(input, 1));
        host_trouble((unsigned)take(input, 1));
        client_init();
        host_trouble(0);
        break;
    case 7:
        host_name((unsigned)take(input, 1));
        host_trouble((unsigned)take(input, 1));
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, data + size};
    host_behave(0);
    attach((unsigned)take(&input, 1) % host_images());
    for (unsigned calls = 0; calls < 512 && !is_at_end(&input); calls++) {
        host_beat();
        if (*input.at == 0xFF)
            input.at++, happen(&input);
        else
            client_call(&input, true);
    }
    host_churn(0);
    host_trouble(0);
    host_name(0);
    return 0;
}
